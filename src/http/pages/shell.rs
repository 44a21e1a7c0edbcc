//! What all pages share: their head and navigation, the stylesheet, how they write quantities and names, and the headers
//! that keep a browser from running or loading anything.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use ring::digest;

use crate::http::v1::context::{Body, Context};
use crate::month::Month;
use crate::output::Unit;
use crate::output::unit::readable;
use crate::scope::Scope;

const STYLE: &str = include_str!("style.css");

pub const CONTENT_TYPE: &str = "text/html; charset=utf-8";

/// Only the stylesheet that is in the page counts, and only forms that ask this server.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let digest = digest::digest(&digest::SHA256, STYLE.as_bytes());
    let digest = STANDARD.encode(digest.as_ref());
    format!(
        "default-src 'none'; style-src 'sha256-{digest}'; img-src data:; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    )
});

/// Headers of every page.
pub fn headers() -> Vec<(&'static str, String)> {
    vec![
        ("Content-Security-Policy", POLICY.clone()),
        ("X-Content-Type-Options", "nosniff".to_owned()),
        ("Referrer-Policy", "no-referrer".to_owned()),
    ]
}

pub struct HtmlPage<'a> {
    pub title: &'a str,
    /// Where the root is, as `links::root_from` says it.
    pub root: &'a str,
    pub content: Markup,
}

impl HtmlPage<'_> {
    pub fn html(&self) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) " · rbc-usage" }
                    link rel="icon" href="data:,";
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    a.skip href="#content" { "Skip to the content" }
                    header {
                        nav aria-label="Pages" {
                            a href=(self.root) { "rbc-usage" }
                            a href={ (self.root) "accounts" } { "Accounts" }
                            a href={ (self.root) "domains/%2F" } { "Domains" }
                            form role="search" method="get" action={ (self.root) "accounts" } {
                                input type="search" name="search" aria-label="Name or uuid" placeholder="Name or uuid";
                                " "
                                button { "Search" }
                            }
                        }
                    }
                    main id="content" { (self.content) }
                }
            }
        };
        page.into_string()
    }
}

/// The answer that a page is.
pub fn body(context: &Context, page: &HtmlPage) -> anyhow::Result<Body> {
    let bytes = page.html().into_bytes();
    context.make_room(bytes.len())?;
    let mut headers = headers();
    headers.push(("Content-Type", CONTENT_TYPE.to_owned()));
    Ok(Body { headers, bytes })
}

/// `October 2026`.
pub fn month_name(month: Month) -> String {
    let date = month.first_day().date();
    format!("{} {}", date.month(), date.year())
}

/// A published name, which may be cut at its underscores.
pub fn name(text: &str) -> Markup {
    html! {
        @for (place, word) in text.split('_').enumerate() {
            @if place > 0 { "_" wbr; }
            (word)
        }
    }
}

/// A quantity of a metric's unit.
pub fn quantity(number: f64, unit: &str) -> String {
    readable(number, Unit::of_name(unit))
}

/// Tells a user who is limited that there may be more.
pub fn scope_note(context: &Context) -> Markup {
    html! {
        @if *context.scope != Scope::All {
            p.note { "You see the accounts that you may see; there may be others." }
        }
    }
}

/// The two formats of a list for programs.
pub fn formats(address: &str) -> Markup {
    let separator = if address.contains('?') { '&' } else { '?' };
    html! {
        a href={ (address) (separator) "format=csv" } { "CSV" }
        ", "
        a href={ (address) (separator) "format=json" } { "JSON" }
    }
}
