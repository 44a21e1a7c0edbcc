//! The two formats of `/metrics`: OpenMetrics for clients that ask for it, the older text format of Prometheus for all
//! others.

/// A format of the text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Exposition {
    Prometheus,
    OpenMetrics,
}

impl Exposition {
    /// The first is for clients that ask for neither.
    pub const ALL: [Exposition; 2] = [Exposition::Prometheus, Exposition::OpenMetrics];

    /// As `Accept` names it.
    pub fn media_type(self) -> &'static str {
        match self {
            Exposition::Prometheus => "text/plain",
            Exposition::OpenMetrics => "application/openmetrics-text",
        }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Exposition::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Exposition::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The same samples in the format before OpenMetrics: without units and infos, and with the help text of a counter
/// under the name of its samples.
pub fn as_prometheus(text: &str) -> String {
    let mut old = String::with_capacity(text.len());
    let mut help = None;
    for line in text.lines() {
        if let Some(described) = line.strip_prefix("# HELP ") {
            help = described.split_once(' ');
        } else if let Some((name, kind)) = line
            .strip_prefix("# TYPE ")
            .and_then(|described| described.split_once(' '))
        {
            let (suffix, kind) = match kind {
                "counter" => ("_total", kind),
                "info" => ("_info", "gauge"),
                kind => ("", kind),
            };
            if let Some((_, help)) = help.take() {
                old.push_str(&format!("# HELP {name}{suffix} {help}\n"));
            }
            old.push_str(&format!("# TYPE {name}{suffix} {kind}\n"));
        } else if !line.starts_with('#') {
            old.extend([line, "\n"]);
        }
    }
    old
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::metrics::{LedgerGauges, Metrics};

    #[test]
    fn the_old_format_describes_the_names_that_samples_have() {
        let text = Metrics::register().text(Exposition::Prometheus, &LedgerGauges::default());
        let text = text.unwrap();
        for part in [
            "# HELP rbc_usage_connections_total Connections accepted.\n# TYPE rbc_usage_connections_total counter\n\
             rbc_usage_connections_total 0\n",
            "# TYPE rbc_usage_build_info gauge\nrbc_usage_build_info{",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        for none in ["# EOF", "# UNIT", " info\n"] {
            assert!(!text.contains(none), "{none}\n{text}");
        }
    }
}
