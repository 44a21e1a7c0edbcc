//! Pages for people with a browser, over the ledger that the tests of API v1 have, so that every figure below was added
//! up by hand.

mod lists;

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::cloudstack::{Cloud, NEWEST};
use crate::server::{Answer, Server};
use crate::v1::scopes::limited_cloud;
use crate::v1::{SERVER, ask_with, cloud, vm};

/// What browsers send.
const BROWSER: &str = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

fn browse(server: &Server, target: &str) -> Answer {
    ask_with(server, "GET", target, &[BROWSER])
}

/// What a page says: its text without tags, cells of a row and everything else with one blank between them.
fn said(answer: &Answer) -> String {
    let (_, page) = answer.body.split_once("</head>").expect("a page");
    let mut text = String::new();
    for piece in page.split('<') {
        let (tag, words) = piece.split_once('>').unwrap_or((piece, ""));
        // It stands within a word.
        if tag != "wbr" {
            text.push(' ');
        }
        text.push_str(words);
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn says(answer: &Answer, sentence: &str) {
    let text = said(answer);
    assert!(text.contains(sentence), "{sentence:?} is not in {text}");
}

#[track_caller]
fn keeps_quiet(answer: &Answer, word: &str) {
    assert!(!answer.body.contains(word), "{word:?} in {}", answer.body);
}

/// vm_running of June: alice 24 + 20 + 3.5 + 7 = 54.5 hours, bob 12, carol 6, web 2: 74.5 in all, after 5 in May. 54.5 of
/// 74.5 is 73.2 %, 12 are 16.1 %, 6 are 8.1 %, 2 are 2.7 %; 69.5 more than 5 is 1390 %. 24 hours of 30 GiB are 720.
#[test]
fn a_month_has_days_totals_and_the_largest_accounts() {
    let cloud = cloud();
    let server = Server::start(&cloud.sandbox);
    let page = browse(&server, "/");
    assert_eq!(page.status, 200, "{page:?}");
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    for sentence in [
        "June 2013 ← May 2013 July 2013 →",
        "Not complete : figures will change. No day is sealed.",
        "The newest closed day is 2013-06-02,",
        "missing : 2013-06-04..2013-06-30, not in the ledger",
        "open : 2013-06-03, the source had not finished them",
        "2013-06-02 size_unknown :",
        "primary_byte_hours, account bob",
        "1 ✓ closed 2 ✓ closed 3 … open 4 – missing",
        "Metric 2013-06 2013-05 Change",
        "network_bytes_sent 1000 bytes 0 bytes new",
        "primary_byte_hours 720.00 GiB-hours 0.00 GiB-hours new",
        "vm_running 74.50 hours 5.00 hours +1390.0 %",
        "By vm_running, and the share of all that is used Account Quantity Share \
         alice /acme/ 54.50 hours 73.2 % bob /acme/north/ 12.00 hours 16.1 % \
         carol /acmeville/ 6.00 hours 8.1 % web /acme/ 2.00 hours 2.7 %",
    ] {
        says(&page, sentence);
    }
    assert!(
        page.body
            .contains("href=\"./accounts/alice-uuid?month=2013-06\"")
    );
    let by_volumes = browse(&server, "/?month=2013-06&metric=primary_byte_hours");
    says(&by_volumes, "bob /acme/north/ 720.00 GiB-hours 100.0 %");
    let may = browse(&server, "/?month=2013-05");
    says(&may, "May 2013 June 2013 →");
    says(&may, "vm_running 5.00 hours 0.00 hours new");
    says(&may, "alice /acme/ 5.00 hours 100.0 %");
}

/// Of alice's 54.5 hours, 51 are of the small offering (24, 20, 7) and 3.5 of the large one; the highest day has 24.
#[test]
fn an_account_has_its_days_skus_and_resources() {
    let cloud = cloud();
    let server = Server::start(&cloud.sandbox);
    let page = browse(&server, "/accounts/alice-uuid?month=2013-06");
    assert_eq!(page.status, 200, "{page:?}");
    for sentence in [
        "alice June 2013 ← May 2013 July 2013 →",
        "Account alice alice-uuid Domain /acme/",
        "vm_running 54.50 hours in all, at most 24.00 hours on a day 1 30",
        "SKU Quantity 1: small, zone one, 1 vCPU, 1000 MHz, 512 MiB 51.00 hours \
         2: large, &quot;XL&quot;, zone one, 1 vCPU, 1000 MHz, 512 MiB 3.50 hours",
        "Day SKU 1 SKU 2 1 24.00 – 2 20.00 3.50 3 (open) 7.00 – 4–30 (missing) – –",
        "vm11 vm vm-11 os_usage: 54.50 hours vm_running: 54.50 hours",
        "network_bytes_sent 1000 bytes in all",
        "Corrections None.",
        "Findings None that nobody has acknowledged.",
    ] {
        says(&page, sentence);
    }
    // 24 hours are as high as the picture, which is 256; on the second day 20 are 213, and with 3.5 more 251.
    for path in [
        "<path class=\"s0\" d=\"M0 0v256M1 0v213M2 0v75\">",
        "<path class=\"s1\" d=\"M1 0v251\">",
    ] {
        assert!(page.body.contains(path), "{path} in {}", page.body);
    }
    assert!(
        page.body
            .contains("href=\"alice-uuid/resources/vm-11?month=2013-06\"")
    );
    says(
        &browse(&server, "/accounts/bob-uuid"),
        "2013-06-02 size_unknown :",
    );
    says(&browse(&server, "/accounts/web-uuid"), "web June 2013");
    says(
        &browse(&server, "/accounts/bob-uuid?month=2013-05"),
        "Nothing was used in this month.",
    );
}

/// The target of a link in a page.
fn resolved(page: &str, link: &str) -> String {
    let path = page.split('?').next().unwrap();
    if link.starts_with('?') {
        return format!("{path}{link}");
    }
    let mut folder = &path[..=path.rfind('/').unwrap()];
    let mut rest = link.trim_start_matches("./");
    while let Some(above) = rest.strip_prefix("../") {
        folder = folder.trim_end_matches('/');
        folder = &folder[..=folder.rfind('/').expect("not above the root")];
        rest = above;
    }
    format!("{folder}{rest}")
}

/// From the month page on, every page and every list for programs that a link names is there.
#[test]
fn links_lead_somewhere() {
    let cloud = cloud();
    let server = Server::start(&cloud.sandbox);
    let (mut waiting, mut seen) = (vec!["/".to_owned()], BTreeSet::new());
    while let Some(target) = waiting.pop() {
        // Days before and after go on forever.
        if !seen.insert(target.clone()) || seen.len() > 200 {
            continue;
        }
        // A workbook is no text.
        if target.contains("format=xlsx") {
            assert_eq!(server.ask("HEAD", &target).status, 200, "{target}");
            continue;
        }
        let page = browse(&server, &target);
        assert_eq!(page.status, 200, "{target}: {page:?}");
        for link in page.body.split(" href=\"").skip(1) {
            let link = link.split('"').next().unwrap().replace("&amp;", "&");
            if !link.starts_with('#') && !link.starts_with("data:") {
                waiting.push(resolved(&target, &link));
            }
        }
    }
    for kind in [
        "/v1/accounts/",
        "/v1/domains/",
        "/domains/",
        "/accounts/bob-uuid/resources/",
        "/days/",
        "/corrections",
    ] {
        let some = seen.iter().any(|target| target.starts_with(kind));
        assert!(some, "{kind} in {seen:?}");
    }
}

/// vm_running of June in /acme/: alice 54.5 and web 2 hours, 56.5 (82.5 %); in /acme/north/ bob's 12 (17.5 %); 68.5 in all.
#[test]
fn a_domain_has_what_lies_in_it() {
    let cloud = cloud();
    let server = Server::start(&cloud.sandbox);
    let page = browse(&server, "/domains/d-2?month=2013-06");
    for sentence in [
        "/acme/ June 2013 ← May 2013 July 2013 →",
        "Domain d-2",
        "vm_running 68.50 hours 5.00 hours +1270.0 %",
        "By vm_running, each without the domains in it Domain Quantity Share \
         /acme/ 56.50 hours 82.5 % /acme/north/ 12.00 hours 17.5 %",
        "alice /acme/ 54.50 hours 79.6 % bob /acme/north/ 12.00 hours 17.5 % web /acme/ 2.00 hours 2.9 %",
    ] {
        says(&page, sentence);
    }
    keeps_quiet(&page, "carol");
    assert_eq!(
        said(&browse(&server, "/domains/%2Facme%2F?month=2013-06")),
        said(&page)
    );
    assert_eq!(browse(&server, "/domains/d-9").status, 404);
}

/// vm_running of 2013-06-02: alice 20 + 3.5 hours, carol 6.
#[test]
fn a_day_has_its_state_and_totals() {
    let cloud = cloud();
    let server = Server::start(&cloud.sandbox);
    let page = browse(&server, "/days/2013-06-02");
    for sentence in [
        "2013-06-02 ← 2013-06-01 June 2013 2013-06-03 → State closed Imported",
        "Accounts 3 Source rows 4, of which 0 are replayed",
        "Metric Quantity os_usage 29.50 hours",
        "vm_running 29.50 hours",
        "2013-06-02 size_unknown :",
    ] {
        says(&page, sentence);
    }
    let missing = browse(&server, "/days/2013-06-20");
    says(&missing, "State missing");
    says(&missing, "Nothing was used on this day.");
    says(&browse(&server, "/days/2013-06-31"), "404 Not Found");
}

#[test]
fn accounts_are_found_by_name_uuid_and_domain() {
    let cloud = cloud();
    let server = Server::start(&cloud.sandbox);
    let all = browse(&server, "/accounts");
    says(
        &all,
        "4 accounts on this page Account Domain web web-account-uuid /acme/ alice alice-uuid /acme/ bob bob-uuid /acme/north/ carol",
    );
    for (search, name) in [
        ("CAROL", "carol"),
        ("bob-u", "bob"),
        ("acmeville", "carol"),
        ("web-uuid", "web"),
    ] {
        let found = browse(&server, &format!("/accounts?search={search}"));
        says(&found, "1 account on this page");
        says(&found, &format!("Account Domain {name} "));
    }
    says(&browse(&server, "/accounts?search=eve"), "None.");
}

#[test]
fn names_are_text_and_nothing_else() {
    let cloud = Cloud::in_sqlite(NEWEST);
    cloud.configure("GMT", SERVER);
    cloud.account(2, "mallory-uuid", "<script>alert(1)</script>");
    cloud.service_offering(5, "small-uuid", "\"><img src=x onerror=alert(2)>");
    cloud.guest_os(1, "CentOS 6");
    cloud.template(1, 1);
    cloud.vm(11, 1);
    cloud.add_usage(&[vm("2013-06-01", 2, 11, 5, 24.0)]);
    cloud.finished_until("2013-06-01 23:59:59");
    cloud.run(&["initdb"]).exits(0);
    cloud.run(&["import", "2013-06-01"]).exits(0);
    let server = Server::start(&cloud.sandbox);
    for target in [
        "/",
        "/accounts/mallory-uuid",
        "/accounts/%3Cscript%3E",
        "/accounts",
        "/accounts?search=%3Cscript%3E",
        "/accounts/mallory-uuid/resources/vm-11",
        "/accounts/mallory-uuid/resources/%3Cscript%3E",
        "/search?search=%3Cscript%3E",
        "/corrections?account=mallory-uuid",
        "/corrections?kind=%3Cscript%3E",
        "/domains/%2F",
        "/days/2013-06-01",
        "/days/%3Cscript%3E",
        "/domains/%3Cscript%3E",
        "/%3Cimg%20src=x%3E",
    ] {
        let page = browse(&server, target);
        keeps_quiet(&page, "<script");
        keeps_quiet(&page, "<img");
    }
    let page = browse(&server, "/accounts/mallory-uuid");
    assert!(
        page.body
            .contains("<h1>&lt;script&gt;alert(1)&lt;/script&gt; <small>")
    );
    assert!(
        page.body
            .contains("&quot;&gt;&lt;img src=x onerror=alert(2)&gt;")
    );
}

#[test]
fn a_page_may_run_and_load_nothing() {
    let cloud = cloud();
    let server = Server::start(&cloud.sandbox);
    for (target, status) in [
        ("/", 200),
        ("/accounts", 200),
        ("/domains/%2F", 200),
        ("/days/2013-06-01", 200),
        ("/accounts/alice-uuid", 200),
        ("/accounts/alice-uuid/resources/vm-11", 200),
        ("/search?search=vm", 200),
        ("/corrections", 200),
        ("/nothing", 404),
    ] {
        let page = browse(&server, target);
        assert_eq!(page.status, status);
        let policy = page.header("content-security-policy").unwrap();
        let (before, rest) = policy.split_once("style-src 'sha256-").unwrap();
        assert_eq!(before, "default-src 'none'; ");
        let (digest, rest) = rest.split_once('\'').unwrap();
        assert_eq!(
            rest,
            "; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        );
        let style = page.body.split_once("<style>").unwrap().1;
        let style = style.split_once("</style>").unwrap().0;
        let hashed = ring::digest::digest(&ring::digest::SHA256, style.as_bytes());
        assert_eq!(digest, STANDARD.encode(hashed.as_ref()));
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
        for word in ["<script", " style=", " on", "http://", "https://"] {
            assert!(!page.body.contains(&format!("{word}=")), "{word}");
        }
        keeps_quiet(&page, "://");
        keeps_quiet(&page, " style=");
    }
}

#[test]
fn a_limited_user_sees_what_is_theirs() {
    let cloud = limited_cloud();
    let server = Server::start(&cloud.sandbox);
    let ask = |user: &str, target: &str| {
        let credentials = STANDARD.encode(format!("{user}:secret"));
        let authorization = format!("Authorization: Basic {credentials}");
        ask_with(&server, "GET", target, &[BROWSER, &authorization])
    };
    // bob's 12 hours and the project's 2.
    let page = ask("north", "/");
    says(&page, "vm_running 14.00 hours 0.00 hours new");
    says(
        &page,
        "bob /acme/north/ 12.00 hours 85.7 % web /acme/ 2.00 hours 14.3 %",
    );
    says(&page, "You see the accounts that you may see");
    for hidden in ["alice", "carol", "network_bytes_sent", "74.50"] {
        keeps_quiet(&page, hidden);
    }
    let page = ask("nobody", "/");
    says(&page, "Nothing was used in this month or the one before.");
    keeps_quiet(&page, "bob");
    says(&ask("boss", "/"), "vm_running 74.50 hours");
    keeps_quiet(&ask("boss", "/"), "You see the accounts");
    // The domain has alice as well, and the day her hours and carol's.
    let domain = ask("north", "/domains/d-2");
    says(&domain, "vm_running 14.00 hours 0.00 hours new");
    says(
        &domain,
        "/acme/north/ 12.00 hours 85.7 % /acme/ 2.00 hours 14.3 %",
    );
    let day = ask("north", "/days/2013-06-02");
    says(&day, "State closed");
    let accounts = ask("north", "/accounts");
    says(&accounts, "2 accounts on this page");
    for page in [&domain, &day, &accounts] {
        for hidden in ["alice", "carol", "vm_running 29", "Source rows"] {
            keeps_quiet(page, hidden);
        }
    }
    assert_eq!(ask("north", "/domains/d-4").status, 404);
    says(&ask("north", "/accounts?search=alice"), "None.");
    // vm-11 is alice's, vm-12 bob's; whether the others are there at all cannot be seen.
    let found = ask("north", "/search?search=vm&month=2013-06");
    says(&found, "Account vm12 vm vm-12 bob vm14 vm vm-14 web");
    keeps_quiet(&found, "vm-11");
    keeps_quiet(&found, "alice");
    let absent = ask("north", "/accounts/bob-uuid/resources/vm-99?month=2013-06");
    let others = ask("north", "/accounts/bob-uuid/resources/vm-11?month=2013-06");
    assert_eq!(others.body.replace("vm-11", "vm-99"), absent.body);
    assert_eq!(ask("north", "/corrections?account=alice-uuid").status, 404);
    assert_eq!(ask("north", "/accounts/bob-uuid").status, 200);
    let hidden = ask("north", "/accounts/alice-uuid");
    says(
        &hidden,
        "404 Not Found no account or project has the uuid alice-uuid",
    );
    let absent = ask("north", "/accounts/eve-uuid");
    assert_eq!(
        hidden.body.replace("alice", "eve"),
        absent.body,
        "one that is hidden is one that is not there"
    );
    let unknown = browse(&server, "/");
    assert_eq!(unknown.status, 401);
    assert_eq!(
        unknown.header("www-authenticate"),
        Some("Basic realm=\"rbc-usage\", charset=\"UTF-8\"")
    );
    says(
        &unknown,
        "401 Unauthorized give the name and the password of a user",
    );
}

#[test]
fn errors_are_pages_for_browsers_alone() {
    let cloud = cloud();
    let server = Server::start(&cloud.sandbox);
    for (target, status, sentence) in [
        ("/nothing", 404, "404 Not Found no such path"),
        (
            "/?month=2013",
            400,
            "400 Bad Request month: &quot;2013&quot; is not a month",
        ),
        (
            "/?x=1",
            400,
            "&quot;x&quot; is not a parameter here: there are month, metric",
        ),
        (
            "/v1/accounts/eve/usage?month=2013-06",
            404,
            "no account or project has the uuid eve",
        ),
        ("/usage/eve", 404, "no account or project has the uuid eve"),
    ] {
        let page = browse(&server, target);
        assert_eq!(page.status, status, "{page:?}");
        assert_eq!(
            page.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        says(&page, sentence);
        let plain = server.get(target);
        assert_eq!(plain.status, status);
        assert!(plain.body.starts_with('{'), "{plain:?}");
    }
    // What is no error has its own form.
    let accounts = browse(&server, "/v1/accounts");
    assert_eq!(accounts.header("content-type"), Some("application/json"));
}

#[test]
fn a_browser_that_has_a_page_gets_it_once() {
    let cloud = cloud();
    let server = Server::start(&cloud.sandbox);
    let page = browse(&server, "/");
    let tag = format!("If-None-Match: {}", page.header("etag").unwrap());
    let again = ask_with(&server, "GET", "/", &[BROWSER, &tag]);
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    let head = ask_with(&server, "HEAD", "/", &[BROWSER]);
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[test]
fn a_server_may_have_no_pages() {
    let cloud = cloud();
    cloud.configure("GMT", &format!("{SERVER}pages = no\n"));
    let server = Server::start(&cloud.sandbox);
    for target in [
        "/",
        "/accounts",
        "/accounts/alice-uuid",
        "/days/2013-06-01",
        "/domains/%2F",
    ] {
        let answer = browse(&server, target);
        assert_eq!(answer.status, 404);
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
}
