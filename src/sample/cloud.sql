-- CloudStack's main database as of 4.20, as far as ids are resolved in it.

create table domain (
  id integer primary key,
  parent integer,
  name text,
  uuid text unique,
  path text,                                    -- /a/b/
  level integer not null,
  removed text,
  state text not null default 'Active',
  type text not null default 'Normal'
) strict;

create table account (
  id integer primary key,
  account_name text,
  uuid text unique,
  type integer not null,                        -- 0 user, 1 administrator, 5 hidden account of a project
  domain_id integer,
  state text not null default 'enabled',
  removed text
) strict;

create table projects (
  id integer primary key,
  name text,
  uuid text unique,
  display_text text,
  project_account_id integer not null,
  domain_id integer not null,
  created text,
  removed text,
  state text not null default 'Active'
) strict;

create table data_center (
  id integer primary key,
  name text,
  uuid text unique,
  networktype text not null default 'Advanced',
  removed text
) strict;

create table service_offering (
  id integer primary key,
  uuid text unique,
  name text not null,
  display_text text,
  cpu integer,                                  -- null: chosen by each virtual machine
  speed integer,                                -- MHz
  ram_size integer,                             -- MB
  customized integer not null default 0,
  system_use integer not null default 0,
  disk_offering_id integer,
  created text,
  removed text,
  state text not null default 'Active'
) strict;

create table disk_offering (
  id integer primary key,
  name text not null,
  uuid text unique,
  display_text text,
  disk_size integer not null,                   -- bytes
  customized integer not null default 0,
  compute_only integer not null default 0,
  created text,
  removed text,
  state text not null default 'Active'
) strict;

create table network_offerings (
  id integer primary key,
  name text,
  uuid text unique,
  unique_name text,
  removed text,
  state text not null default 'Enabled'
) strict;

create table backup_offering (
  id integer primary key,
  uuid text unique,
  name text not null,
  zone_id integer not null,
  removed text
) strict;

create table guest_os (
  id integer primary key,
  category_id integer not null default 1,
  name text,
  uuid text unique,
  display_name text not null,
  removed text
) strict;

create table vm_template (
  id integer primary key,
  unique_name text not null,
  name text not null,
  uuid text unique,
  format text not null,
  guest_os_id integer not null,
  account_id integer not null,
  created text not null,
  removed text,
  state text not null default 'Active'
) strict;

create table vm_instance (
  id integer primary key,
  name text not null,
  uuid text unique,
  instance_name text not null,
  type text not null,
  state text not null,
  account_id integer not null,
  domain_id integer not null,
  data_center_id integer not null,
  service_offering_id integer not null,
  vm_template_id integer,
  guest_os_id integer not null,
  created text not null,
  removed text
) strict;

create table user_ip_address (
  id integer primary key,
  uuid text unique,
  account_id integer,
  domain_id integer,
  public_ip_address text not null,
  data_center_id integer not null,
  source_nat integer not null default 0,
  allocated text,
  state text not null,
  is_system integer not null default 0,
  network_id integer,
  vpc_id integer
) strict;

create table volumes (
  id integer primary key,
  uuid text unique,
  name text
) strict;

create table snapshots (
  id integer primary key,
  uuid text unique,
  name text
) strict;

create table vm_snapshots (
  id integer primary key,
  uuid text unique,
  name text
) strict;

create table networks (
  id integer primary key,
  uuid text unique,
  name text
) strict;

create table vpc (
  id integer primary key,
  uuid text unique,
  name text
) strict;

create table security_group (
  id integer primary key,
  uuid text unique,
  name text
) strict;

create table firewall_rules (
  id integer primary key,
  uuid text unique,
  xid text
) strict;

create table vpn_users (
  id integer primary key,
  uuid text unique,
  username text
) strict;

create table bucket (
  id integer primary key,
  uuid text unique,
  name text
) strict;

create table load_balancing_rules (
  id integer primary key,                       -- that of its row in firewall_rules, which has the uuid
  name text
) strict;

create table configuration (
  name text primary key,
  value text,
  default_value text
) strict;
