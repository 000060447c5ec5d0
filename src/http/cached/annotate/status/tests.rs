use super::*;

#[test]
fn a_name_is_a_token_or_a_quoted_string() {
    let table = [
        ("front", "front"),
        ("cdn.example:80/a", "cdn.example:80/a"),
        ("", "\"\""),
        ("7", "\"7\""),
        ("a b", "\"a b\""),
        ("a\"b\\c", "\"a\\\"b\\\\c\""),
        ("a\r\nx: é", "\"a??x: ?\""),
    ];
    for (text, expected) in table {
        assert_eq!(item(text), expected);
        assert!(HeaderValue::try_from(item(text)).is_ok());
    }
}
