//! What all pages share: their navigation, and the headers that keep a browser from running or loading anything.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, html};
use ring::digest;

use crate::html::{HtmlDocument, STYLE};
pub use crate::html::{month_name, name, quantity};
use crate::http::v1::context::{Body, Context};
use crate::scope::Scope;

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
        let root = self.root;
        let before = html! {
            a.skip href="#content" { "Skip to the content" }
            header {
                nav aria-label="Pages" {
                    a href=(root) { "rbc-usage" }
                    a href={ (root) "accounts" } { "Accounts" }
                    a href={ (root) "domains/%2F" } { "Domains" }
                    a href={ (root) "corrections" } { "Corrections" }
                    form role="search" method="get" action={ (root) "search" } {
                        input type="search" name="search" aria-label="Name or uuid" placeholder="Name or uuid";
                        " "
                        button { "Search" }
                    }
                }
            }
        };
        let document = HtmlDocument {
            title: self.title,
            before: Some(before),
            content: &self.content,
        };
        document.text()
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

/// Tells a user who is limited that there may be more.
pub fn scope_note(context: &Context) -> Markup {
    html! {
        @if *context.scope != Scope::All {
            p.note { "You see the accounts that you may see; there may be others." }
        }
    }
}

/// The formats of a list for programs and spreadsheets.
pub fn formats(address: &str) -> Markup {
    let separator = if address.contains('?') { '&' } else { '?' };
    html! {
        a href={ (address) (separator) "format=csv" } { "CSV" }
        ", "
        a href={ (address) (separator) "format=json" } { "JSON" }
        ", "
        a href={ (address) (separator) "format=xlsx" } { "xlsx" }
    }
}
