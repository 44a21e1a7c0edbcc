-- The usage database, as the upgrades of CloudStack built it: the first section creates it, each later one
-- is what the releases up to that one added. Written so that MariaDB and SQLite read it alike.
-- since 4.0
create table cloud_usage (
  id bigint unsigned not null primary key,
  zone_id bigint unsigned not null,
  account_id bigint unsigned not null,
  domain_id bigint unsigned not null,
  description varchar(1024) not null,
  usage_display varchar(255) not null,
  usage_type int unsigned,
  raw_usage double unsigned not null,
  vm_instance_id bigint unsigned,
  vm_name varchar(255),
  offering_id bigint unsigned,
  template_id bigint unsigned,
  usage_id bigint unsigned,
  type varchar(32),
  size bigint unsigned,
  network_id bigint unsigned,
  start_date datetime not null,
  end_date datetime not null
);
create index i_cloud_usage__account_id on cloud_usage (account_id);
create index i_cloud_usage__domain_id on cloud_usage (domain_id);
create index i_cloud_usage__start_date on cloud_usage (start_date);
create index i_cloud_usage__end_date on cloud_usage (end_date);
create table usage_job (
  id bigint unsigned not null primary key,
  host varchar(255),
  pid int(5),
  job_type int(1),
  scheduled int(1),
  start_millis bigint unsigned not null default 0,
  end_millis bigint unsigned not null default 0,
  exec_time bigint unsigned not null default 0,
  start_date datetime,
  end_date datetime,
  success int(1),
  heartbeat datetime not null
);
create index i_usage_job__end_millis on usage_job (end_millis);
create table usage_event (
  id bigint unsigned not null primary key,
  type varchar(32) not null,
  account_id bigint unsigned not null,
  created datetime not null,
  zone_id bigint unsigned not null,
  resource_id bigint unsigned,
  processed tinyint(1) not null default 0
);
-- The usage server's own copy: its uuid column exists and is never filled.
create table account (
  id bigint unsigned not null primary key,
  account_name varchar(100),
  uuid varchar(40),
  type int unsigned not null,
  domain_id bigint unsigned,
  state varchar(10) not null default 'enabled',
  removed datetime
);
-- since 4.2
alter table cloud_usage add column virtual_size bigint unsigned;
-- since 4.4
alter table cloud_usage add column cpu_speed int unsigned;
alter table cloud_usage add column cpu_cores int unsigned;
alter table cloud_usage add column memory int unsigned;
-- since 4.7
alter table cloud_usage add column quota_calculated tinyint(1) not null default 0;
-- since 4.15
alter table cloud_usage add column is_hidden smallint(1) not null default 0;
-- since 4.19.1
alter table cloud_usage add column state varchar(100);
