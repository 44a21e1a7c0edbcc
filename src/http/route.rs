//! Every endpoint, once: its path, its name in metrics, its parameters and formats, its audience, its cost, and the
//! function that answers. To add an endpoint, add it here and to `v1/openapi.json`.

use percent_encoding::percent_decode_str;

use super::ledger_pool::{Cost, Lease};
use super::question::Question;
use super::response::Response;
use super::v1::negotiate::FORMATS;
use super::{health, pages, refusal, usage, v1};
use crate::output::Format;

pub struct Route {
    /// `{…}` stands for one segment.
    pub pattern: &'static str,
    /// In metrics.
    pub name: &'static str,
    /// The parameters that the query may have.
    pub parameters: &'static [&'static str],
    /// The formats of the answer; the first is the default. None: it has one form, whatever is asked for.
    pub formats: &'static [(Format, &'static str)],
    pub audience: Audience,
    pub cost: Cost,
    pub reuse: Reuse,
    /// Fails only if the ledger cannot be read.
    pub answer: fn(&Question, &mut Lease) -> anyhow::Result<Response>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Audience {
    /// Without a password: the answer says nothing about anybody.
    Anyone,
    Users,
}

/// Which later requests an answer may be reused for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reuse {
    Never,
    /// Requests for the same target, until the ledger changes.
    SameTarget,
    /// The same, if the headers that choose the format are the same as well.
    SameForm,
}

/// Which endpoints a listener offers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Endpoints {
    All,
    /// All but `/metrics`, which has its own listener.
    AllButMetrics,
    /// `/metrics` alone, without a password.
    Metrics,
}

const JSON: &[(Format, &str)] = FORMATS.split_at(1).0;

/// One under `/v1`.
const fn v1(
    pattern: &'static str,
    name: &'static str,
    (parameters, formats): (&'static [&'static str], &'static [(Format, &'static str)]),
    cost: Cost,
    answer: fn(&Question, &mut Lease) -> anyhow::Result<Response>,
) -> Route {
    Route {
        pattern,
        name,
        parameters,
        formats,
        audience: Audience::Users,
        cost,
        reuse: Reuse::SameForm,
        answer,
    }
}

/// A page has one form.
const fn page(
    pattern: &'static str,
    name: &'static str,
    parameters: &'static [&'static str],
    cost: Cost,
    answer: fn(&Question, &mut Lease) -> anyhow::Result<Response>,
) -> Route {
    v1(pattern, name, (parameters, &[]), cost, answer)
}

pub static ROUTES: [Route; 15] = [
    Route {
        pattern: "/healthz",
        name: "healthz",
        parameters: &[],
        formats: JSON,
        audience: Audience::Anyone,
        cost: Cost::Nothing,
        reuse: Reuse::Never,
        answer: health::alive,
    },
    Route {
        pattern: "/readyz",
        name: "readyz",
        parameters: &[],
        formats: JSON,
        audience: Audience::Anyone,
        cost: Cost::Bounded,
        reuse: Reuse::Never,
        answer: health::ready,
    },
    Route {
        pattern: "/metrics",
        name: "metrics",
        parameters: &[],
        formats: &[],
        audience: Audience::Users,
        cost: Cost::Bounded,
        reuse: Reuse::Never,
        answer: health::metrics,
    },
    Route {
        pattern: "/usage/{uuid}",
        name: "usage",
        parameters: &usage::PARAMETERS,
        formats: JSON,
        audience: Audience::Users,
        cost: Cost::Bounded,
        reuse: Reuse::SameTarget,
        answer: usage::answer,
    },
    v1(
        "/openapi.json",
        "openapi",
        (&[], JSON),
        Cost::Nothing,
        v1::openapi::answer,
    ),
    v1(
        "/v1/version",
        "v1_version",
        (&[], JSON),
        Cost::Bounded,
        |question, ledger| v1::answer(question, ledger, v1::version::answer),
    ),
    v1(
        "/v1/accounts",
        "v1_accounts",
        (&v1::accounts::PARAMETERS, &FORMATS),
        Cost::Bounded,
        |question, ledger| v1::answer(question, ledger, v1::accounts::answer),
    ),
    v1(
        "/v1/accounts/{uuid}/usage",
        "v1_account_usage",
        (v1::usage::PARAMETERS, &FORMATS),
        Cost::Bounded,
        |question, ledger| v1::answer(question, ledger, v1::usage::of_account),
    ),
    v1(
        "/v1/accounts/{uuid}/resources",
        "v1_account_resources",
        (&v1::resources::PARAMETERS, &FORMATS),
        Cost::Bounded,
        |question, ledger| v1::answer(question, ledger, v1::resources::answer),
    ),
    v1(
        "/v1/accounts/{uuid}/statement",
        "v1_account_statement",
        (&v1::statement::PARAMETERS, &FORMATS),
        Cost::Bounded,
        |question, ledger| v1::answer(question, ledger, v1::statement::answer),
    ),
    v1(
        "/v1/usage",
        "v1_usage",
        (&v1::usage::PARAMETERS_OF_ALL, &FORMATS),
        Cost::High,
        |question, ledger| v1::answer(question, ledger, v1::usage::of_all),
    ),
    v1(
        "/v1/domains/{path}/usage",
        "v1_domain_usage",
        (v1::usage::PARAMETERS, &FORMATS),
        Cost::High,
        |question, ledger| v1::answer(question, ledger, v1::usage::of_domain),
    ),
    v1(
        "/v1/days",
        "v1_days",
        (&v1::days::PARAMETERS, &FORMATS),
        Cost::Bounded,
        |question, ledger| v1::answer(question, ledger, v1::days::answer),
    ),
    v1(
        "/v1/findings",
        "v1_findings",
        (&v1::findings::PARAMETERS, &FORMATS),
        Cost::Bounded,
        |question, ledger| v1::answer(question, ledger, v1::findings::answer),
    ),
    v1(
        "/v1/corrections",
        "v1_corrections",
        (&v1::corrections::PARAMETERS, &FORMATS),
        Cost::Bounded,
        |question, ledger| v1::answer(question, ledger, v1::corrections::answer),
    ),
];

/// What a browser is answered; a server may have none of them.
pub static PAGES: [Route; 9] = [
    page(
        "/",
        "page_month",
        &pages::month::PARAMETERS,
        Cost::High,
        |question, ledger| v1::answer(question, ledger, pages::month::answer),
    ),
    page(
        "/accounts",
        "page_accounts",
        &pages::accounts::PARAMETERS,
        Cost::Bounded,
        |question, ledger| v1::answer(question, ledger, pages::accounts::answer),
    ),
    page(
        "/domains/{path}",
        "page_domain",
        &pages::domain::PARAMETERS,
        Cost::High,
        |question, ledger| v1::answer(question, ledger, pages::domain::answer),
    ),
    page(
        "/days/{day}",
        "page_day",
        &pages::day::PARAMETERS,
        Cost::High,
        |question, ledger| v1::answer(question, ledger, pages::day::answer),
    ),
    page(
        "/accounts/{uuid}",
        "page_account",
        &pages::account::PARAMETERS,
        Cost::Bounded,
        |question, ledger| v1::answer(question, ledger, pages::account::answer),
    ),
    page(
        "/accounts/{uuid}/statement",
        "page_statement",
        &pages::statement::PARAMETERS,
        Cost::Bounded,
        |question, ledger| v1::answer(question, ledger, pages::statement::answer),
    ),
    page(
        "/accounts/{uuid}/resources/{resource}",
        "page_resource",
        &pages::resource::PARAMETERS,
        Cost::Bounded,
        |question, ledger| v1::answer(question, ledger, pages::resource::answer),
    ),
    page(
        "/corrections",
        "page_corrections",
        &pages::corrections::PARAMETERS,
        Cost::Bounded,
        |question, ledger| v1::answer(question, ledger, pages::corrections::answer),
    ),
    page(
        "/search",
        "page_search",
        &pages::search::PARAMETERS,
        Cost::High,
        |question, ledger| v1::answer(question, ledger, pages::search::answer),
    ),
];

impl Route {
    pub fn is_page(&self) -> bool {
        PAGES.iter().any(|page| page.pattern == self.pattern)
    }

    /// The values of the pattern's parameters; `None` if the path does not match.
    fn arguments(&self, path: &str) -> Option<Vec<String>> {
        let mut arguments = Vec::new();
        let mut given = path.split('/');
        for wanted in self.pattern.split('/') {
            let segment = given.next()?;
            if wanted.starts_with('{') {
                // Decoded once, and after the path was taken apart: a slash in a name is %2F.
                let argument = percent_decode_str(segment).decode_utf8().ok()?;
                (!argument.is_empty()).then(|| arguments.push(argument.into_owned()))?;
            } else if segment != wanted {
                return None;
            }
        }
        given.next().is_none().then_some(arguments)
    }
}

/// The endpoint that a path names, and the parameters in it.
pub fn find(path: &str, endpoints: Endpoints) -> Option<(&'static Route, Vec<String>)> {
    let (route, arguments) = ROUTES
        .iter()
        .chain(&PAGES)
        .find_map(|route| Some((route, route.arguments(path)?)))?;
    let is_metrics = route.pattern == "/metrics";
    let is_here = match endpoints {
        Endpoints::All => true,
        Endpoints::AllButMetrics => !is_metrics,
        Endpoints::Metrics => is_metrics,
    };
    is_here.then_some((route, arguments))
}

/// The name in metrics of requests for paths without an endpoint.
pub fn name_of_nothing(path: &str) -> &'static str {
    match path {
        "/metrics" => "metrics",
        path if path.starts_with("/usage/") => "usage",
        path if refusal::is_v1(path) => "v1_other",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str) -> Option<(&'static str, Vec<String>)> {
        let (route, arguments) = find(path, Endpoints::All)?;
        Some((route.name, arguments))
    }

    #[test]
    fn a_path_names_one_endpoint_letter_by_letter() {
        for (path, name, arguments) in [
            ("/healthz", "healthz", &[][..]),
            ("/usage/account%3A45", "usage", &["account:45"]),
            ("/usage/a%2541%2Fb+c", "usage", &["a%41/b+c"]),
            ("/v1/accounts/u/usage", "v1_account_usage", &["u"]),
            (
                "/v1/domains/%2Facme%2F/usage",
                "v1_domain_usage",
                &["/acme/"],
            ),
        ] {
            let arguments = arguments.iter().map(|text| (*text).to_owned()).collect();
            assert_eq!(found(path), Some((name, arguments)), "{path}");
        }
        assert_eq!(found("/"), Some(("page_month", vec![])));
        for path in [
            "//",
            "/accounts/",
            "/usage",
            "/usage/",
            "/usage/u1/",
            "/usage/u1/x",
            "/Usage/u1",
            "",
            "/v1/accounts//usage",
            "/v1/%76ersion",
        ] {
            assert_eq!(found(path), None, "{path}");
        }
    }

    #[test]
    fn metrics_are_where_they_are_meant_to_be() {
        let has = |path, endpoints| find(path, endpoints).is_some();
        assert!(has("/metrics", Endpoints::All) && has("/metrics", Endpoints::Metrics));
        assert!(!has("/metrics", Endpoints::AllButMetrics));
        assert!(!has("/healthz", Endpoints::Metrics));
    }

    /// Only answers whose accounts are not counted may take long; the others never queue behind them.
    #[test]
    fn one_account_and_one_page_are_of_bounded_cost() {
        let all = ROUTES.iter().chain(&PAGES);
        let high = all.filter(|route| route.cost == Cost::High);
        let high: Vec<&str> = high.map(|route| route.pattern).collect();
        assert_eq!(
            high,
            [
                "/v1/usage",
                "/v1/domains/{path}/usage",
                "/",
                "/domains/{path}",
                "/days/{day}",
                "/search"
            ]
        );
    }
}
