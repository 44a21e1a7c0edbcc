//! The form of errors: problem details (RFC 9457) under `/v1`, and the form of the old program everywhere else.

use serde_json::{Map, Value, json};

use super::response::{REVALIDATE, Response, reason};

/// The headers that answers under `/v1` depend on.
pub const VARY: &str = "Accept, Accept-Encoding";

/// Why there is no answer under `/v1`.
#[derive(Debug, PartialEq)]
pub struct Problem {
    pub status: u16,
    /// One sentence for people.
    pub detail: String,
    /// Further members for programs.
    pub members: Map<String, Value>,
}

/// Why a question cannot be answered: a problem, which the client can fix, or an error of the ledger, which it cannot.
pub enum Rejection {
    Problem(Problem),
    Ledger(anyhow::Error),
}

impl From<Problem> for Rejection {
    fn from(problem: Problem) -> Rejection {
        Rejection::Problem(problem)
    }
}

impl From<anyhow::Error> for Rejection {
    fn from(err: anyhow::Error) -> Rejection {
        Rejection::Ledger(err)
    }
}

/// Whether errors for a target have the form of `/v1`.
pub fn is_v1(target: &str) -> bool {
    let path = target.split('?').next().unwrap_or(target);
    path == "/openapi.json" || path == "/v1" || path.starts_with("/v1/")
}

/// An error in the form that goes with a target.
pub fn refuse(target: &str, status: u16, message: &str) -> Response {
    if is_v1(target) {
        Problem::new(status, message).response()
    } else {
        error(status, message)
    }
}

/// 404 for a path without an endpoint.
pub fn no_such_path(path: &str) -> Response {
    let message = if is_v1(path) {
        "no such path: /openapi.json tells which there are"
    } else {
        "no such path: ask for /usage/<account uuid>?start=YYYY-MM-DD&end=YYYY-MM-DD"
    };
    refuse(path, 404, message)
}

/// An error in the old form. A 405 names the allowed methods.
pub fn error(status: u16, message: &str) -> Response {
    let body = json!({"responseType": "errorResponse", "message": message});
    let response = Response::json(status, &body);
    match status {
        405 => response.with("Allow", "GET, HEAD"),
        _ => response,
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

    /// A 405 names the allowed methods.
    pub fn response(self) -> Response {
        let mut body = json!({
            "type": "about:blank",
            "title": reason(self.status),
            "status": self.status,
            "detail": self.detail,
        });
        for (member, value) in self.members {
            body[member] = value;
        }
        let body = format!("{body}\n").into_bytes();
        let response = Response::of("application/problem+json", self.status, body);
        let response = response.with(REVALIDATE.0, REVALIDATE.1);
        match self.status {
            405 => response.with("Allow", "GET, HEAD"),
            406 => response.with("Vary", VARY),
            _ => response,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(response: Response) -> String {
        String::from_utf8(response.body).unwrap()
    }

    #[test]
    fn a_problem_has_the_five_members_and_more() {
        let response = Problem::of_parameter("metric", "no metric is called \"x\"\r\n").response();
        assert_eq!(
            response.header("Content-Type"),
            Some("application/problem+json")
        );
        assert_eq!(
            text(response),
            "{\"detail\":\"no metric is called \\\"x\\\"\\r\\n\",\"parameter\":\"metric\",\"status\":400,\
             \"title\":\"Bad Request\",\"type\":\"about:blank\"}\n"
        );
        let refused = Problem::new(405, "only GET and HEAD are answered").response();
        assert_eq!(refused.header("Allow"), Some("GET, HEAD"));
    }

    #[test]
    fn an_error_quotes_what_the_client_sent() {
        assert_eq!(
            text(error(404, "no \"\u{1}\u{7f}é\"")),
            "{\"message\":\"no \\\"\\u0001\u{7f}é\\\"\",\"responseType\":\"errorResponse\"}\n"
        );
    }
}
