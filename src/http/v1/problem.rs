//! The one shape of errors under `/v1`: problem details as RFC 9457 has them, with `application/problem+json`.

use serde_json::{Map, Value, json};

use crate::http::frame::reason;
use crate::http::response::Reply;

/// Why there is no answer.
#[derive(Debug, PartialEq)]
pub struct Problem {
    pub status: u16,
    /// One sentence for people.
    pub detail: String,
    /// Further members for programs.
    pub members: Map<String, Value>,
}

/// What keeps a question from being answered: the client can do something about a problem, and nothing about the
/// ledger.
pub enum Refusal {
    Problem(Problem),
    Ledger(anyhow::Error),
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Refusal {
        Refusal::Problem(problem)
    }
}

impl From<anyhow::Error> for Refusal {
    fn from(err: anyhow::Error) -> Refusal {
        Refusal::Ledger(err)
    }
}

impl Problem {
    pub fn new(status: u16, detail: impl Into<String>) -> Problem {
        Problem {
            status,
            detail: detail.into(),
            members: Map::new(),
        }
    }

    /// 400, about one parameter of the query.
    pub fn of_parameter(name: &str, detail: impl Into<String>) -> Problem {
        Problem::new(400, detail).with("parameter", json!(name))
    }

    pub fn with(mut self, member: &str, value: Value) -> Problem {
        self.members.insert(member.to_owned(), value);
        self
    }

    /// A 405 names what is allowed.
    pub fn reply(self) -> Reply {
        let mut body = json!({
            "type": "about:blank",
            "title": reason(self.status),
            "status": self.status,
            "detail": self.detail,
        });
        for (member, value) in self.members {
            body[member] = value;
        }
        let mut headers = vec![
            ("Content-Type", "application/problem+json".to_owned()),
            ("Cache-Control", super::CACHE_CONTROL.to_owned()),
        ];
        match self.status {
            405 => headers.push(("Allow", "GET, HEAD".to_owned())),
            406 => headers.push(("Vary", super::VARY.to_owned())),
            _ => {}
        }
        Reply {
            status: self.status,
            headers,
            body: format!("{body}\n").into_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_the_five_members_and_more() {
        let reply = Problem::of_parameter("metric", "no metric is called \"x\"\r\n").reply();
        assert_eq!(
            String::from_utf8(reply.body).unwrap(),
            "{\"detail\":\"no metric is called \\\"x\\\"\\r\\n\",\"parameter\":\"metric\",\"status\":400,\
             \"title\":\"Bad Request\",\"type\":\"about:blank\"}\n"
        );
        assert_eq!(reply.headers[0].1, "application/problem+json");
        let refused = Problem::new(405, "only GET and HEAD are answered").reply();
        assert!(refused.headers.contains(&("Allow", "GET, HEAD".to_owned())));
    }
}
