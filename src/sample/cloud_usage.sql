-- CloudStack's usage database as of 4.20, as far as usage is read from it. Dates are GMT, to the second.

create table cloud_usage (
  id integer primary key,
  zone_id integer not null,
  account_id integer not null,
  domain_id integer not null,
  description text not null,
  usage_display text not null,
  usage_type integer,
  raw_usage real not null,                      -- hours, bytes or requests, by usage_type
  vm_instance_id integer,
  vm_name text,
  offering_id integer,
  template_id integer,
  usage_id integer,
  type text,
  size integer,                                 -- bytes; in type 3 a flag
  network_id integer,
  start_date text not null,
  end_date text not null,                       -- inclusive
  virtual_size integer,                         -- bytes
  cpu_speed integer,                            -- MHz
  cpu_cores integer,
  memory integer,                               -- MB
  quota_calculated integer not null default 0,
  is_hidden integer not null default 0,
  state text
) strict;

create index i_cloud_usage__account_id on cloud_usage (account_id);
create index i_cloud_usage__domain_id on cloud_usage (domain_id);
create index i_cloud_usage__start_date on cloud_usage (start_date);
create index i_cloud_usage__end_date on cloud_usage (end_date);

create table usage_job (
  id integer primary key,
  host text,
  pid integer,
  job_type integer,
  scheduled integer,
  start_millis integer not null default 0,      -- milliseconds since 1970 UTC
  end_millis integer not null default 0,        -- inclusive; 0 while the job is still to run
  exec_time integer not null default 0,         -- milliseconds
  start_date text,
  end_date text,
  success integer,
  heartbeat text not null
) strict;

create index i_usage_job__end_millis on usage_job (end_millis);
