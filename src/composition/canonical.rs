//! The identity of a request body: its RFC 8785 form and that form's digest. Two bodies are
//! the same request exactly when these are equal.

use cluster::model::Digest;
use serde_json::{Number, Value};
use sha2::{Digest as _, Sha256};

use super::Json;

/// `json` in the form of RFC 8785.
pub fn canonical_bytes(json: &Json) -> Vec<u8> {
    serde_jcs::to_vec(&doubles(json.value()))
        .expect("a tree of doubles and UTF-8 strings always has a canonical form")
}

/// SHA-256 of the canonical form.
pub fn body_digest(json: &Json) -> Digest {
    Digest(Sha256::digest(canonical_bytes(json)).into())
}

/// The tree with every number as the double that RFC 8785 takes it for, so that `10`, `10.0`
/// and `1e1` are one number, and so are integers beyond 2^53 that share a double.
fn doubles(value: &Value) -> Value {
    match value {
        Value::Number(number) => number
            .as_f64()
            .and_then(Number::from_f64)
            .map_or_else(|| value.clone(), Value::Number),
        Value::Array(items) => Value::Array(items.iter().map(doubles).collect()),
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(name, value)| (name.clone(), doubles(value)))
                .collect(),
        ),
        Value::Null | Value::Bool(_) | Value::String(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        let json = Json::parse(text.as_bytes()).expect("a test's JSON");
        String::from_utf8(canonical_bytes(&json)).expect("UTF-8")
    }

    #[test]
    fn the_example_of_the_standard_comes_out_as_printed() {
        // RFC 8785, section 3.2.2 and 3.2.3.
        let text = "{\n  \"numbers\": [333333333.33333329, 1E30, 4.50, 2e-3, \
                    0.000000000000000000000000001],\n  \"string\": \
                    \"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\",\n  \
                    \"literals\": [null, true, false]\n}";
        assert_eq!(
            canonical(text),
            "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,\
             1e-27],\"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"
        );
    }

    #[test]
    fn keys_are_ordered_by_their_utf16_units() {
        // RFC 8785, section 3.2.3: the emoji's surrogates sort before U+FB33.
        let text = r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#;
        assert_eq!(
            canonical(text),
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}"
        );
    }

    #[test]
    fn numbers_are_written_as_ecmascript_writes_doubles() {
        // RFC 8785, appendix B, and spellings of one number.
        for (text, form) in [
            ("0", "0"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("10", "10"),
            ("10.0", "10"),
            ("1e1", "10"),
            ("5e-324", "5e-324"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
            ("9007199254740992", "9007199254740992"),
            ("9007199254740993", "9007199254740992"),
            ("295147905179352830000", "295147905179352830000"),
            ("1e21", "1e+21"),
            ("1e23", "1e+23"),
            ("9.999999999999997e22", "9.999999999999997e+22"),
            ("0.000001", "0.000001"),
            ("0.0000001", "1e-7"),
            ("333333333.33333325", "333333333.33333325"),
            ("333333333.3333334", "333333333.3333334"),
            ("1424953923781206.25", "1424953923781206.2"),
        ] {
            assert_eq!(canonical(text), form, "{text}");
        }
    }

    #[test]
    fn only_what_the_standard_ignores_leaves_the_digest_alone() {
        let digest = |text: &str| body_digest(&Json::parse(text.as_bytes()).expect("JSON"));
        let body = digest(r#"{"a":10,"b":[1,2]}"#);
        assert_eq!(digest(" {\"b\": [1.0, 2e0], \"a\": 1e1}\n"), body);
        assert_ne!(digest(r#"{"a":10,"b":[2,1]}"#), body);
        assert_ne!(digest(r#"{"a":10,"b":[1,2],"c":null}"#), body);
        assert_ne!(digest(r#"{"a":"10","b":[1,2]}"#), body);
    }
}
