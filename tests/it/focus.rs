//! `report --format focus` with a price file: each day has its share of what the statement makes of a line, corrections
//! are priced line by line, and what has no price costs 0 and is named.

use crate::demo::{fresh, imported};
use crate::sandbox::{Run, Sandbox};

const HEADER: &str = "valid_from,metric,offering,account,unit,price,currency\n";

/// With the rows of a price file of its own, which a configuration of that name has.
fn focus(sandbox: &Sandbox, name: &str, rows: &str, words: &[&str]) -> Run {
    let config = std::fs::read_to_string(sandbox.path("demo/cloudusage.cfg")).unwrap();
    sandbox.write(&format!("demo/{name}.csv"), &format!("{HEADER}{rows}"));
    let provider = "[focus]\nprovider = Nordic Cloud AB\n";
    let priced = format!("{config}\n[prices]\nfile = {name}.csv\n{provider}");
    sandbox.write(&format!("demo/{name}.cfg"), &priced);
    let config = format!("demo/{name}.cfg");
    let report = ["report", "--config", &config, "--format", "focus"];
    sandbox.run(&[&report, words].concat())
}

/// Some columns of each row, of those before the tags, which have commas in them.
fn columns<const N: usize>(csv: &str, names: [&str; N]) -> Vec<[String; N]> {
    let mut lines = csv.lines();
    let head: Vec<&str> = lines.next().unwrap().split(',').collect();
    let places = names.map(|name| head.iter().position(|one| *one == name).unwrap());
    lines
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            places.map(|place| fields[place].to_owned())
        })
        .collect()
}

/// In units of 10^-12.
fn exact(digits: &str) -> i128 {
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    format!("{whole}{part:0<12}").parse().unwrap()
}

/// October has 745 hours; its 25th has 25.
#[test]
fn days_make_what_the_statement_makes() {
    let rows = "\
,vm_running,,,hour,0.05,EUR
,vm_running,Classic Small,,hour,0.015,EUR
2026-10-15,vm_running,Classic Small,,hour,0.02,EUR
,vm_running,Large,aurora,hour,0.04,EUR
,vm_running_vcpu_hours,,,vCPU-hour,0.003,EUR
,primary_byte_hours,,,GiB-month,0.08,EUR
,primary_byte_hours,Gold disk,,GiB-month,2,SEK
,network_bytes_sent,,,GB,0.01,EUR
";
    let october = ["--month", "2026-10"];
    let metrics = "vm_running,vm_running_vcpu_hours,primary_byte_hours,network_bytes_sent";
    let words = [&october[..], &["--metric", metrics]].concat();
    let run = focus(imported(), "shares", rows, &words).exits(0);
    let all = columns(&run.stdout, ["BillingCurrency", "BilledCost"]);
    let statement = ["statement", "--all", "--format", "json"];
    let prices = ["--config", "demo/shares.cfg"];
    let statement = [&statement[..], &october, &prices].concat();
    let statement = imported().run(&statement).exits(0).stdout;
    let statement: serde_json::Value = serde_json::from_str(&statement).unwrap();
    let totals = statement["totals"].as_array().unwrap();
    assert_eq!(totals.len(), 2);
    for total in totals {
        let of_it = all
            .iter()
            .filter(|[currency, _]| total["currency"] == **currency);
        let billed: i128 = of_it.map(|[_, billed]| exact(billed)).sum();
        assert_eq!(billed, exact(total["amount"].as_str().unwrap()), "{total}");
    }
    let wanted = [
        "ResourceName",
        "SkuMeter",
        "PricingQuantity",
        "PricingUnit",
        "ListUnitPrice",
        "ContractedUnitPrice",
        "ListCost",
        "ContractedCost",
        "EffectiveCost",
        "BilledCost",
    ];
    for (day, expected) in [
        // 336 h × 0.015 = 5.04 in 14 days, of which each has a 14th.
        (
            "2026-10-14",
            "app-09 vm_running 24.0 hour 0.015 0.015 0.36 0.36 0.36 0.36",
        ),
        // 409 h × 0.02 = 8.18 from then on: 8.18 × 24 / 409 and × 25 / 409.
        (
            "2026-10-15",
            "app-09 vm_running 24.0 hour 0.02 0.02 0.48 0.48 0.48 0.48",
        ),
        (
            "2026-10-25",
            "app-09 vm_running 25.0 hour 0.02 0.02 0.5 0.5 0.5 0.5",
        ),
        // A price of its own: 24 × 0.04, where all others pay 24 × 0.05.
        (
            "2026-10-14",
            "app-03 vm_running 24.0 hour 0.05 0.04 1.2 0.96 0.96 0.96",
        ),
        // 4 vCPUs × 24 h × 0.003; 4 × 745 × 0.003 = 8.94 is not rounded.
        (
            "2026-10-14",
            "app-03 vm_running_vcpu_hours 96.0 vCPU-hour 0.003 0.003 0.288 0.288 0.288 0.288",
        ),
        // 20 GiB × 24 / 745 = 0.644295 GiB-months, × 0.08. Thirty of these days and one of 25 hours, 0.671141, are
        // 19.999991: 1.60 × 0.644295 / 19.999991 = 0.051543623…
        (
            "2026-10-01",
            "ROOT-3001 primary_byte_hours 0.644295 GiB-month 0.08 0.08 0.0515436 0.0515436 0.05154362 0.05154362",
        ),
    ] {
        let words = [day, "--account", "aurora", "--metric", metrics];
        let run = focus(imported(), "shares", rows, &words)
            .exits(0)
            .complains("");
        let rows = columns(&run.stdout, wanted);
        let rows: Vec<String> = rows.iter().map(|row| row.join(" ")).collect();
        let name = expected.split(' ').next().unwrap();
        let like: Vec<&String> = rows.iter().filter(|row| row.starts_with(name)).collect();
        assert!(
            rows.iter().any(|row| row == expected),
            "{expected} {like:?}"
        );
    }
}

#[test]
fn what_has_no_price_costs_0_and_is_named() {
    let rows = ",vm_running,Classic Small,,hour,0.02,EUR\n";
    let words = ["2026-10-14", "--account", "aurora"];
    let run = focus(imported(), "few", rows, &words).exits(1);
    let says = "rbc-usage: 2026-10: no price for vm_running of Large in sto1 from 2026-10-01 on: add a row to ";
    assert!(run.stderr.contains(says), "{run}");
    let says = "rbc-usage: 2026-10: not priced, because no row of ";
    assert!(run.stderr.contains(says), "{run}");
    let wanted = [
        "ResourceName",
        "SkuMeter",
        "BillingCurrency",
        "BilledCost",
        "EffectiveCost",
        "ListCost",
        "ContractedCost",
        "ListUnitPrice",
        "PricingQuantity",
        "PricingUnit",
    ];
    let rows = columns(&run.stdout, wanted);
    let rows: Vec<String> = rows.iter().map(|row| row.join(" ")).collect();
    for row in [
        "app-09 vm_running EUR 0.48 0.48 0.48 0.48 0.02 24.0 hour",
        "app-03 vm_running EUR 0.0 0.0 0.0 0.0   ",
        "app-03 vm_allocated EUR 0.0 0.0 0.0 0.0   ",
    ] {
        assert!(rows.iter().any(|one| one == row), "{row}");
    }
    let fine = [
        "2026-10-14",
        "--account",
        "aurora",
        "--metric",
        "vm_allocated",
    ];
    focus(imported(), "few", ",vm_allocated,,,hour,1,EUR\n", &fine)
        .exits(0)
        .complains("");
}

/// 901 is about 10 h of app-03, which has 4 vCPUs; of the others it is not known which VMs they are about.
#[test]
fn corrections_are_priced_by_their_lines() {
    let sandbox = fresh();
    let ledger = rusqlite::Connection::open(sandbox.path("demo/usage.db")).unwrap();
    ledger
        .execute_batch(
            "insert into stored_corrections (id, day, account_id, metric_id, resource_id, old_quantity, new_quantity, corrected_at, kind, acknowledged_at, reason)
               select t.id, t.day, a.id, m.id, o.id, 100, t.new, t.found, 'pending', t.at, t.at
               from stored_accounts a, metrics m, stored_resources o,
                 (select 901 as id, '2026-09-27' as day, 90 as new, '2026-10-20T10:00:00Z' as found, null as at
                  union all select 902, '2026-09-28', 70, '2026-10-20T10:00:00Z', null
                  union all select 903, '2026-09-28', 60, '2026-10-20T10:00:00Z', 'x'
                  union all select 904, '2026-09-28', 50, '2026-09-30T10:00:00Z', null
                  union all select 905, '2026-10-02', 40, '2026-10-21T10:00:00Z', null) t
               where a.name = 'aurora' and m.name = 'vm_running' and o.name = 'Large' and o.kind = 'service_offering';
             insert into correction_lines (correction_id, sku_id, resource_id, old_quantity, new_quantity)
               select 901, l.sku_id, l.resource_id, 24, 14
               from stored_lines l join stored_resources u on u.id = l.resource_id
               join skus k on k.id = l.sku_id join metrics m on m.id = k.metric_id
               where u.name = 'app-03' and u.kind = 'vm' and m.name = 'vm_running' limit 1",
        )
        .unwrap();
    let rows = "\
,vm_running,,,hour,0.05,EUR
2026-09-01,vm_running,Large,,hour,0.08,EUR
2026-09-28,vm_running,Large,,hour,0.10,EUR
,vm_running_vcpu_hours,,,vCPU-hour,0.003,EUR
";
    let names = [
        "SkuMeter",
        "ResourceName",
        "PricingQuantity",
        "BilledCost",
        "ChargeClass",
    ];
    let of = |metrics: &str, code: i32| {
        let words = [
            "--month",
            "2026-10",
            "--account",
            "aurora",
            "--metric",
            metrics,
        ];
        let run = focus(&sandbox, "corrections", rows, &words).exits(code);
        let rows = columns(&run.stdout, names).into_iter();
        let rows = rows.filter(|row| row[4] == "Correction");
        let mut rows: Vec<String> = rows.map(|row| row[..4].join(" ")).collect();
        rows.sort();
        (rows, run.stderr)
    };
    // Found in October, acknowledged or not, of whatever day.
    let (running, _) = of("vm_running", 0);
    let expected = [
        "vm_running  -30.0 -3.0",
        "vm_running  -40.0 -4.0",
        "vm_running  -60.0 -6.0",
        "vm_running app-03 -10.0 -0.8",
    ];
    assert_eq!(running, expected);
    let (derived, stderr) = of("vm_running_vcpu_hours", 1);
    assert_eq!(derived, ["vm_running_vcpu_hours app-03 -40.0 -0.12"]);
    let says = "no amount for vm_running_vcpu_hours of Large: the size of the VM is not known; ";
    assert!(
        stderr.contains(says) && stderr.contains("(3 lines)"),
        "{stderr}"
    );
    // Nothing of it was corrected.
    let (other, _) = of("vm_allocated", 0);
    assert!(other.is_empty());
}

/// `SkuPriceId` is the same at every price; what has no price has none.
#[test]
fn columns_that_an_invoice_needs() {
    let rows = ",vm_running,Classic Small,,hour,0.02,EUR\n";
    let words = [
        "2026-10-14",
        "--account",
        "aurora",
        "--metric",
        "vm_running",
    ];
    let run = focus(imported(), "needs", rows, &words).exits(1);
    let wanted = [
        "ResourceName",
        "BillingAccountName",
        "BillingAccountType",
        "InvoiceIssuerName",
        "ProviderName",
        "PublisherName",
        "PricingCategory",
        "CommitmentDiscountCategory",
        "CommitmentDiscountId",
        "CommitmentDiscountName",
        "CommitmentDiscountStatus",
        "CommitmentDiscountType",
    ];
    let found: Vec<String> = columns(&run.stdout, wanted)
        .iter()
        .map(|row| row.join("|"))
        .collect();
    let names = "Nordic Cloud AB|Nordic Cloud AB|Nordic Cloud AB";
    for row in [
        format!("app-09|aurora|Account|{names}|Standard|||||"),
        format!("app-03|aurora|Account|{names}||||||"),
    ] {
        assert!(found.contains(&row), "{row} {found:?}");
    }
    let ids = columns(
        &run.stdout,
        ["BillingAccountId", "SubAccountId", "SkuId", "SkuPriceId"],
    );
    assert!(ids.iter().all(|[billing, sub, _, _]| billing == sub));
    let priced = ids.iter().filter(|[_, _, _, price]| !price.is_empty());
    let priced: Vec<_> = priced.map(|[_, _, sku, price]| (sku, price)).collect();
    assert!(!priced.is_empty() && priced.iter().all(|(sku, price)| sku == price));
}

#[test]
fn names_of_companies() {
    let names = ["InvoiceIssuerName", "ProviderName", "PublisherName"];
    let words = [
        "2026-10-14",
        "--account",
        "aurora",
        "--metric",
        "vm_running",
    ];
    let rows = ",vm_running,,,hour,0.02,EUR\n";
    focus(imported(), "companies", rows, &words).exits(0);
    let config = std::fs::read_to_string(imported().path("demo/companies.cfg")).unwrap();
    for (keys, printed, complaint) in [
        (
            "provider = Nordic Cloud AB\ninvoice_issuer = Reseller Ltd\n",
            ["Reseller Ltd", "Nordic Cloud AB", "Nordic Cloud AB"],
            "",
        ),
        (
            "publisher = Maker\n",
            ["", "", "Maker"],
            "rbc-usage: FOCUS needs a name in InvoiceIssuerName, ProviderName: write provider in [focus] of the configuration\n",
        ),
    ] {
        let config = config.replace("provider = Nordic Cloud AB\n", keys);
        imported().write("demo/keys.cfg", &config);
        let report = ["report", "--config", "demo/keys.cfg", "--format", "focus"];
        let run = imported().run(&[&report[..], &words].concat());
        let run = run.exits(0).complains(complaint);
        assert_eq!(columns(&run.stdout, names)[0], printed);
    }
}
