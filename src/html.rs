//! What all HTML of the program shares, on the server and in files: the frame of a document with its one stylesheet, and
//! how months, names and quantities are written.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::month::Month;
use crate::output::Unit;
use crate::output::unit::readable;

/// There is no other: a document loads nothing.
pub const STYLE: &str = include_str!("html/style.css");

pub struct HtmlDocument<'a> {
    pub title: &'a str,
    /// What stands before the content, if anything does.
    pub before: Option<Markup>,
    pub content: &'a Markup,
}

impl HtmlDocument<'_> {
    pub fn text(&self) -> String {
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
                    @if let Some(before) = &self.before { (before) }
                    main id="content" { (self.content) }
                }
            }
        };
        page.into_string()
    }
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
