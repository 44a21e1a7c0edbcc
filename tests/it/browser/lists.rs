//! Pages about a resource, a search, corrections and statements.

use super::{browse, keeps_quiet, says};
use crate::server::Server;
use crate::v1::{cloud, priced};

/// vm-11 ran all 24 hours of the first day, 20 + 3.5 of the second, 7 of the third, which is open.
#[test]
fn a_resource_has_its_days_in_words() {
    let cloud = cloud();
    let server = Server::start(&cloud.sandbox);
    let page = browse(
        &server,
        "/accounts/alice-uuid/resources/vm-11?month=2013-06",
    );
    for sentence in [
        "vm11 June 2013 ← May 2013 July 2013 →",
        "vm vm-11 Account alice alice-uuid Domain /acme/",
        "vm_running (small, zone one, 1 vCPU, 1000 MHz, 512 MiB): all hours on 2013-06-01; \
         20.00 of 24 hours on 2013-06-02; 7.00 of 24 hours (open) on 2013-06-03; \
         nothing (missing) on 2013-06-04..2013-06-30.",
        "vm_running (large, &quot;XL&quot;, zone one, 1 vCPU, 1000 MHz, 512 MiB): nothing on 2013-06-01; \
         3.50 of 24 hours on 2013-06-02;",
        "rbc-usage explain alice-uuid 2013-06 METRIC vm-11",
        "vm_running 54.50 hours in all",
    ] {
        says(&page, sentence);
    }
    let volume = browse(
        &server,
        "/accounts/bob-uuid/resources/volume:31?month=2013-06",
    );
    says(
        &volume,
        "30.00 GiB held on average on 2013-06-01; nothing on 2013-06-02",
    );
    for nothing in ["vm-12", "vm-99"] {
        let target = format!("/accounts/alice-uuid/resources/{nothing}?month=2013-06");
        says(
            &browse(&server, &target),
            "Nothing that is called like this was used by alice in this month.",
        );
    }
}

#[test]
fn accounts_projects_and_resources_are_found() {
    let cloud = cloud();
    let server = Server::start(&cloud.sandbox);
    for (search, accounts, resources) in [
        ("vm-11", "None.", "Resource Account vm11 vm vm-11 alice"),
        (
            "vm1",
            "None.",
            "Resource Account vm11 vm vm-11 alice vm12 vm vm-12 bob vm13 vm vm-13 carol vm14 vm vm-14 web",
        ),
        ("ALICE", "Account Domain alice alice-uuid /acme/", "None."),
        (
            "web-uuid",
            "Account Domain web web-account-uuid /acme/",
            "None.",
        ),
        ("small", "None.", "None."),
        ("zzz", "None.", "None."),
    ] {
        let page = browse(&server, &format!("/search?search={search}&month=2013-06"));
        says(
            &page,
            &format!("Accounts and projects {accounts} Resources of June 2013"),
        );
        says(&page, &format!("capitals count. {resources}"));
    }
    let may = browse(&server, "/search?search=vm-1&month=2013-05");
    says(&may, "capitals count. Resource Account vm11 vm vm-11 alice");
    keeps_quiet(&may, "vm-12");
    says(&browse(&server, "/search"), "Accounts and projects None.");
}

/// The source takes 4 of the 24 hours of the first day back, and the import overwrites the closed day.
#[test]
fn corrections_have_a_page_of_their_own() {
    let cloud = cloud();
    cloud.usage("update cloud_usage set raw_usage = 20 where account_id = 2 and start_date like '2013-06-01%' and usage_type = 1");
    cloud.run(&["import", "-f", "2013-06-01"]).exits(0);
    let server = Server::start(&cloud.sandbox);
    let row = "2013-06-01 overwritten vm_running of small, alice no. ";
    for target in [
        "/corrections",
        "/corrections?month=2013-06&kind=overwritten",
        "/corrections?month=&kind=&account=alice-uuid",
    ] {
        let page = browse(&server, target);
        says(&page, row);
        says(&page, "24.00 hours 20.00 hours -4.00 hours");
    }
    for target in [
        "/corrections?kind=pending",
        "/corrections?month=2013-05",
        "/corrections?account=bob-uuid",
    ] {
        says(&browse(&server, target), "None.");
    }
    says(
        &browse(&server, "/corrections?kind=some"),
        "kind: &quot;some&quot; is not one of overwritten, pending, applied",
    );
}

/// 51 hours of the small offering at 0.05 are 2.55, 3.5 of the large one at 0.1 are 0.35: 2.90 in all.
#[test]
fn a_statement_is_the_page_that_the_command_writes() {
    let cloud = priced();
    let server = Server::start(&cloud.sandbox);
    let page = browse(&server, "/accounts/alice-uuid/statement?month=2013-06");
    for sentence in [
        "Statement June 2013 2013-06-01 to 2013-06-30, 720 hours, GMT. The figures are not complete .",
        "alice Account alice alice-uuid Domain /acme/",
        "vm11, vm_running large, &quot;XL&quot;, zone one, 1 vCPU, 1000 MHz, 512 MiB 3.5 hour 0.1 0.35 EUR \
         vm11, vm_running small, zone one, 1 vCPU, 1000 MHz, 512 MiB 51 hour 0.05 2.55 EUR Total 2.90 EUR",
        "Notes not sealed, so that imports may change them: 2013-06-01..2013-06-30",
        "missing in the ledger: 2013-06-04..2013-06-30",
    ] {
        says(&page, sentence);
    }
    let words = [
        "--month",
        "2013-06",
        "--account",
        "alice",
        "--format",
        "html",
    ];
    let written = cloud.run(&[&["statement"], &words[..]].concat()).exits(1);
    let (_, rest) = written.stdout.split_once("<main id=\"content\">").unwrap();
    let (content, _) = rest.split_once("</main>").unwrap();
    assert!(page.body.contains(content), "{content} in {}", page.body);
    let account = browse(&server, "/accounts/alice-uuid?month=2013-06");
    says(&account, "Statement of June 2013, with prices");
    assert_eq!(browse(&server, "/accounts/eve/statement").status, 404);
}
