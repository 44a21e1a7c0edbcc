-- The main database: the columns of it that bear on usage, and some that must not confuse anybody. Sections as in
-- cloud_usage.sql; what a release in between changed stands in the next section.
-- since 4.0
create table account (
  id bigint unsigned not null primary key,
  account_name varchar(100),
  uuid varchar(40) unique,
  type int unsigned not null,
  domain_id bigint unsigned,
  state varchar(10) not null default 'enabled',
  removed datetime
);
create table domain (
  id bigint unsigned not null primary key,
  parent bigint unsigned,
  name varchar(255),
  uuid varchar(40) unique,
  path varchar(255),
  level int(10) not null default 0,
  removed datetime
);
create table projects (
  id bigint unsigned not null primary key,
  name varchar(255),
  uuid varchar(40) unique,
  display_text varchar(255),
  project_account_id bigint unsigned not null,
  domain_id bigint unsigned not null,
  removed datetime
);
create table service_offering (
  id bigint unsigned not null primary key,
  cpu int unsigned,
  speed int unsigned,
  ram_size bigint unsigned
);
create table disk_offering (
  id bigint unsigned not null primary key,
  domain_id bigint unsigned,
  name varchar(255) not null,
  uuid varchar(40) unique,
  display_text varchar(4096),
  disk_size bigint unsigned not null,
  type varchar(32),
  system_use tinyint(1) not null default 0,
  removed datetime
);
create table vm_template (
  id bigint unsigned not null primary key,
  unique_name varchar(255) not null,
  name varchar(255) not null,
  uuid varchar(40) unique,
  format varchar(32) not null,
  guest_os_id bigint unsigned not null,
  account_id bigint unsigned not null,
  removed datetime
);
create table guest_os (
  id bigint unsigned not null primary key,
  category_id bigint unsigned not null,
  name varchar(255),
  uuid varchar(40) unique,
  display_name varchar(255) not null
);
create table vm_instance (
  id bigint unsigned not null primary key,
  name varchar(255) not null,
  uuid varchar(40) unique,
  instance_name varchar(255) not null,
  vnc_password varchar(255) not null,
  guest_os_id bigint unsigned not null,
  removed datetime
);
create table user_ip_address (
  id bigint unsigned not null primary key,
  uuid varchar(40) unique,
  account_id bigint unsigned,
  public_ip_address char(40) not null,
  data_center_id bigint unsigned not null,
  source_nat int unsigned not null default 0
);
create table data_center (
  id bigint unsigned not null primary key,
  name varchar(255),
  uuid varchar(40) unique,
  removed datetime
);
create table network_offerings (
  id bigint unsigned not null primary key,
  name varchar(64),
  uuid varchar(40) unique,
  unique_name varchar(64),
  removed datetime
);
create table configuration (
  name varchar(255) not null primary key,
  value varchar(4095)
);
-- since 4.4
alter table disk_offering add column state varchar(40) not null default 'Active';
update disk_offering set state = 'Inactive' where removed is not null;
update disk_offering set removed = null;
alter table vm_template add column state varchar(255);
update vm_template set removed = null;
alter table configuration add column default_value varchar(4095);
-- since 4.15
alter table account add column role_id bigint unsigned;
create table backup_offering (
  id bigint unsigned not null primary key,
  name varchar(255) not null,
  uuid varchar(40) not null unique,
  description varchar(255),
  external_id varchar(80),
  zone_id bigint unsigned not null,
  removed datetime
);
-- since 4.17
alter table service_offering add column uuid varchar(40);
alter table service_offering add column name varchar(255);
alter table service_offering add column display_text varchar(4096);
alter table service_offering add column removed datetime;
alter table service_offering add column state varchar(40) not null default 'Active';
alter table service_offering add column disk_offering_id bigint unsigned;
update service_offering set disk_offering_id = id;
update service_offering set uuid = (select d.uuid from disk_offering d where d.id = service_offering.id);
update service_offering set name = (select d.name from disk_offering d where d.id = service_offering.id);
update service_offering set state = (select d.state from disk_offering d where d.id = service_offering.id);
alter table disk_offering drop column type;
alter table disk_offering drop column system_use;
alter table disk_offering add column compute_only tinyint(1) not null default 0;
