//! Expected output, in files: what people and programs read, compared whole.

/// Compares a whole output with the file of this name in `golden/`.
#[track_caller]
pub fn is_golden(name: &str, output: &str) {
    let path = format!("{}/tests/it/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    let golden = std::fs::read_to_string(&path).unwrap_or_else(|err| panic!("{path}: {err}"));
    assert_eq!(output, golden, "{name}");
}
