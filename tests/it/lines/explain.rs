//! `explain` of one VM or volume: its rows beside the ledger's lines of it, also once CloudStack has neither.

use super::{DAY, imported, use_things};
use crate::cloudstack::{Cloud, UsageRow};
use crate::import::refuses;

/// Metric, what it is, what is about, what the rows come to, what the ledger has, and what is said of it.
#[track_caller]
fn explained(cloud: &Cloud, words: &[&str], code: i32) -> Vec<String> {
    explained_on(cloud, DAY, words, code)
}

#[track_caller]
fn explained_on(cloud: &Cloud, days: &str, words: &[&str], code: i32) -> Vec<String> {
    let words = [&["explain", "alice", days], words, &["--format", "json"]].concat();
    let run = cloud.run(&words).exits(code);
    let answer: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    let lines = answer["lines"].as_array().expect("lines").iter();
    let line = |line: &serde_json::Value| {
        let text = |key: &str| match &line[key] {
            serde_json::Value::Null => "-".to_owned(),
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let keys = [
            "metric",
            "line",
            "about",
            "about_name",
            "offering_name",
            "vcpus",
        ];
        let keys = keys.map(text).join(" ");
        format!(
            "{keys}: {} {} {}",
            text("quantity"),
            text("stored"),
            text("agreement")
        )
    };
    lines.map(line).collect()
}

const VM_12: [&str; 6] = [
    "vm_running row vm:12 vm12 - -: 24.0 - -",
    "vm_running ledger vm:12 vm12 small 2: - 24.0 -",
    "vm_running sum - - - -: 24.0 24.0 equal",
    "os_usage row vm:12 vm12 - -: 24.0 - -",
    "os_usage ledger vm:12 vm12 Debian 7 -: - 24.0 -",
    "os_usage sum - - - -: 24.0 24.0 equal",
];

fn purge(cloud: &Cloud) {
    cloud.usage("delete from cloud_usage");
    cloud.main("delete from vm_instance");
    cloud.main("delete from volumes");
}

#[test]
fn a_vm_is_asked_for_by_name_uuid_or_id() {
    let cloud = imported();
    let mut sorted = VM_12.map(str::to_owned).to_vec();
    sorted.sort();
    for name in ["vm12", "vm-12", "vm:12"] {
        for metric in ["vm_running", "os_usage"] {
            let of_metric: Vec<&String> = sorted
                .iter()
                .filter(|line| line.starts_with(metric))
                .collect();
            let mut lines = explained(&cloud, &[metric, name], 0);
            assert!(lines.last().unwrap().contains(" sum "), "{lines:?}");
            lines.sort();
            assert_eq!(lines.iter().collect::<Vec<_>>(), of_metric, "{name}");
        }
    }
    // 24 GiB-hours of its disk.
    assert_eq!(
        explained(&cloud, &["primary_byte_hours", "ROOT-12"], 0),
        [
            "primary_byte_hours row volume:121 ROOT-12 - -: 25769803776.0 - -",
            "primary_byte_hours ledger volume:121 ROOT-12 fast -: - 25769803776.0 -",
            "primary_byte_hours sum - - - -: 25769803776.0 25769803776.0 equal",
        ]
    );
    // What the metric is kept per goes first, with all of its rows and no lines.
    let offering = explained(&cloud, &["vm_running", "small"], 0);
    assert_eq!(offering.len(), 3);
    assert_eq!(offering[2], "vm_running sum - - - -: 48.0 48.0 equal");
}

#[test]
fn a_vm_whose_line_is_not_the_sum_of_its_rows_differs() {
    let cloud = imported();
    cloud.usage("update cloud_usage set raw_usage = 23 where usage_type = 1 and usage_id = 12");
    let lines = explained(&cloud, &["vm_running", "vm12"], 1);
    assert_eq!(lines[2], "vm_running sum - - - -: 23.0 24.0 differs");
    explained(&cloud, &["vm_running", "vm11"], 0);
    // Of a sealed day, with its pending corrections.
    cloud.usage("update cloud_usage set raw_usage = 24 where usage_type = 1 and usage_id = 12");
    cloud.run(&["verify"]).exits(0);
    cloud.run(&["seal", DAY]).exits(0);
    cloud.usage("update cloud_usage set raw_usage = 23 where usage_type = 1 and usage_id = 12");
    cloud.run(&["import", "-s", DAY]).exits(1);
    let lines = explained(&cloud, &["vm_running", "vm12"], 0);
    assert_eq!(lines[2], "vm_running sum - - - -: 23.0 23.0 equal");
}

#[test]
fn what_the_source_has_purged_is_explained_by_the_ledger() {
    let cloud = imported();
    cloud.run(&["verify"]).exits(0);
    cloud.run(&["seal", DAY]).exits(0);
    purge(&cloud);
    let gone = [
        "vm_running ledger vm:12 vm12 small 2: - 24.0 -",
        "vm_running sum - - - -: - 24.0 source_gone",
    ];
    for name in ["vm12", "vm-12", "vm:12"] {
        assert_eq!(explained(&cloud, &["vm_running", name], 0), gone);
    }
    // All of them, if none is named: 24 + 24.
    assert_eq!(
        explained(&cloud, &["vm_running"], 0),
        [
            "vm_running ledger vm:11 vm11 small 2: - 24.0 -",
            "vm_running ledger vm:12 vm12 small 2: - 24.0 -",
            "vm_running sum - - - -: - 48.0 source_gone",
        ]
    );
    let run = cloud
        .run(&["explain", "alice", DAY, "vm_running", "vm12"])
        .exits(0);
    assert_eq!(
        run.stdout,
        "alice, 2013-06-01 to 2013-06-01, GMT\n\n\
         day         metric      resource  about  name  why     ledger               offering  zone   vCPUs    MHz    MiB\n\
         2013-06-01  vm_running  small     vm:12  vm12  ledger      24  –            small     north      2  1,500  1,024\n\
         2013-06-01  vm_running  small     –      –     sum         24  source_gone  –         –          –      –      –\n\n\
         1 figure, 0 as the ledger has it\n\
         1 is of a day whose source is gone: shown is what the ledger holds\n"
    );
    let csv = [
        "explain",
        "alice",
        DAY,
        "vm_running",
        "vm12",
        "--format",
        "csv",
    ];
    let run = cloud.run(&csv).exits(0);
    assert!(
        run.stdout.contains(
            "2013-06-01,ledger,vm_running,hours,small-uuid,small,,,vm:12,vm-12,vm12,,,,,,,,,,ledger,,,,24.0,,\
             small-uuid,small,zone-uuid,north,2,1500,1024,\n"
        ),
        "{run}"
    );
}

#[test]
fn a_name_that_two_vms_have_is_told_with_their_uuids() {
    let cloud = imported();
    cloud.main("update vm_instance set name = 'web'");
    cloud.run(&["import", "-s", DAY, "-f"]).exits(0);
    refuses(
        cloud.run(&["explain", "alice", DAY, "vm_running", "web"]),
        &["2 things of alice are named \"web\", give a uuid: vm-11 (vm:11), vm-12 (vm:12)"],
    );
    // By the name of then, which the ledger has; and by uuid.
    for name in ["vm12", "vm-12"] {
        assert_eq!(explained(&cloud, &["vm_running", name], 0).len(), 3);
    }
    for (name, nearest) in [
        ("vm1", "did you mean vm11, vm12 or vm-11?"),
        ("ROOT-1", "did you mean ROOT-11 or ROOT-12"),
        ("zzz", "has nothing on these days that is named \"zzz\"\n"),
    ] {
        let metric = if name.starts_with("ROOT") {
            "primary_byte_hours"
        } else {
            "vm_running"
        };
        refuses(
            cloud.run(&["explain", "alice", DAY, metric, name]),
            &[nearest],
        );
    }
}

#[test]
fn a_day_whose_lines_tell_nothing_apart_is_no_difference() {
    let cloud = imported();
    // As a day of an older ledger is: a line for each record.
    cloud.edit_ledger(
        "update stored_days set lines_per = 'record'; update stored_lines set resource_id = 0",
    );
    assert_eq!(
        explained(&cloud, &["vm_running", "vm12"], 0),
        [
            "vm_running row vm:12 vm12 - -: 24.0 - -",
            "vm_running sum - - - -: 24.0 - not_told_apart",
        ]
    );
}

/// The lines of the first of two days are folded, and CloudStack has the rows of neither.
#[test]
fn a_folded_day_whose_source_is_gone_tells_nothing_apart() {
    let cloud = imported();
    use_things(&cloud, "2013-06-02");
    cloud.run(&["import"]).exits(0);
    cloud.run(&["verify"]).exits(0);
    cloud.run(&["seal", "2013-06-01..2013-06-02"]).exits(0);
    cloud.edit_ledger(
        "update stored_days set lines_per = 'sku' where day = '2013-06-01';
         update stored_lines set resource_id = 0
         where id < (select first_line from account_days where day = '2013-06-02')",
    );
    purge(&cloud);
    let silent = "vm_running sum - - - -: - - not_told_apart";
    for name in ["vm12", "vm-12", "vm:12"] {
        assert_eq!(explained(&cloud, &["vm_running", name], 0), [silent]);
        assert_eq!(
            explained_on(&cloud, "2013-06-01..2013-06-02", &["vm_running", name], 0),
            [
                silent,
                "vm_running ledger vm:12 vm12 small 2: - 24.0 -",
                "vm_running sum - - - -: - 24.0 source_gone",
            ]
        );
    }
    // A disk does not run, and nothing is called zzz.
    for name in ["ROOT-12", "zzz"] {
        refuses(
            cloud.run(&["explain", "alice", DAY, "vm_running", name]),
            &["alice has nothing on these days that is named"],
        );
    }
}

#[test]
fn a_day_that_the_ledger_lacks_stays_missing() {
    let cloud = imported();
    cloud.add_usage(&[UsageRow::of_vm("2013-06-02", 1, 2, 12, 5)]);
    let words = ["explain", "alice", "2013-06-02", "vm_running", "vm12"];
    let run = cloud.run(&words).exits(1);
    assert!(run.stdout.contains("24  missing\n"), "{run}");
}

#[test]
fn a_derived_metric_is_explained_by_its_base() {
    let cloud = imported();
    let words = ["explain", "alice", DAY, "vm_running_vcpu_hours"];
    cloud
        .run(&words)
        .exits(2)
        .complains("rbc-usage: vm_running_vcpu_hours is derived from vm_running: explain that\n");
}
