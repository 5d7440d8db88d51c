import Testing

@testable import CulvertConnector

@Suite struct PathPatternTests {
    /// Expression, paths it matches, paths it does not; as Go's `regexp.MatchString` answers.
    @Test(arguments: [
        (#"\.(jpg|png|css|js)$"#, ["/a.jpg", "/x/y.css"], ["/a.jpg/", "/jpg", "/a.jpgx", ""]),
        (#"^/api"#, ["/api", "/api/x", "/apix"], ["/x/api", "api", ""]),
        (#"/api/.*"#, ["/api/", "/x/api/y"], ["/api"]),
        (#"/[a-zA-Z0-9_]+.html"#, ["/a.html", "/a_1xhtml", "/x/y.html"], ["/.html", "/é.html"]),
        (#"/[a-zA-Z]+.html"#, ["/abc.html"], ["/1.html"]),
        (#"/subpath1/(.*)/subpath2"#, ["/subpath1/x/y/subpath2"], ["/subpath1/subpath2"]),
        (
            #"^/(v1|v2)/users/[0-9]{2,4}$"#, ["/v1/users/12", "/v2/users/1234"],
            ["/v1/users/1", "/v1/users/12345"]
        ),
        (#""#, ["", "/x"], []), (#"^$"#, [""], ["/"]), (#"^"#, ["", "/"], []),
        (#"a|"#, ["", "b"], []),
        (#"(?i)^/ADMIN"#, ["/admin", "/Admin/x"], ["/x"]), (#"(?i:a)B"#, ["AB", "aB"], ["ab"]),
        (#"(?i)[^a]"#, ["b"], ["A", "a"]), (#"(?i)é"#, ["É", "é"], ["e"]),
        (#"(?i)[k-m]"#, ["L"], ["j"]),
        (#"a(?i)b"#, ["aB", "ab"], ["AB"]), (#"(?i)a(?-i)b"#, ["Ab"], ["AB"]),
        (#"(a(?i)b)c"#, ["aBc"], ["aBC"]), (#"(?s)a.b"#, ["a\nb"], ["ab"]),
        (#"a.b"#, ["axb"], ["a\nb"]),
        (#"(?m)^b$"#, ["a\nb\nc"], ["ab"]), (#"^b$"#, ["b"], ["a\nb\nc", "b\n"]),
        (#"\bfoo\b"#, ["a foo b", "/foo"], ["xfoo", "foox", "foo_"]), (#"\Boo"#, ["foo"], ["oo"]),
        (#"\A/x\z"#, ["/x"], ["/xy", "a/x"]), (#"\d\D\w\W\s\S"#, ["1ab- x"], ["1ab-xx"]),
        (#"[\d\-x]+$"#, ["12-x"], ["y"]), (#"[]a]"#, ["]", "a"], ["b"]),
        (#"[^]a]"#, ["b"], ["]", "a"]),
        (#"[a-]"#, ["a", "-"], ["b"]), (#"[-a]"#, ["-"], ["b"]),
        (#"[[:alpha:]_]"#, ["x", "_"], ["1"]),
        (#"[[:^digit:]]"#, ["x"], ["1"]), (#"[\]]"#, ["]"], ["x"]), (#"[^\d]"#, ["x"], ["1"]),
        (#"\pL\p{Nd}\P{L}\p{^L}"#, ["é1-2", "aa1--"], ["11-2"]), (#"^\p{Lu}$"#, ["É"], ["é"]),
        (#"x{2}"#, ["xx"], ["x"]), (#"^x{2,}$"#, ["xx", "xxxx"], ["x"]),
        (#"^x{0,2}$"#, ["", "x"], ["xxx"]),
        (#"^x{0}$"#, [""], ["x"]), (#"x{,2}"#, ["x{,2}"], ["xx"]), (#"x{a}"#, ["x{a}"], ["x"]),
        (#"{"#, ["{"], ["x"]), (#"a{2}?b*?c+?d??$"#, ["aac", "aabbccd"], ["ac"]),
        (#"\Qa.b\E+$"#, ["a.bbb"], ["axb"]), (#"\Q*"#, ["*"], ["x"]),
        (#"\x41\x{42}\103\n"#, ["ABC\n"], ["ABC"]),
        (#"\/\.\-\_\%"#, ["/.-_%"], ["x"]), (#"(?P<a>x)(?<b>y)(?:z)"#, ["xyz"], ["xy"]),
        (#"(a*)*b"#, ["b", "aab"], ["a"]), (#"(a|b)*$"#, ["c", ""], []),
        (#"^(a|ab)(c|bcd)$"#, ["abcd", "ac", "abc"], ["abd"]),
        (#"👍+"#, ["/👍👍"], ["/"]), (#"(|a)+$"#, ["", "a"], []), (#"(?:){5}x"#, ["x"], ["y"]),
    ])
    func matches(pattern: String, yes: [String], no: [String]) throws {
        let expression = try PathPattern(pattern)
        for path in yes { #expect(expression.matches(path), "\(pattern) should match \(path)") }
        for path in no { #expect(!expression.matches(path), "\(pattern) should not match \(path)") }
        #expect(expression.description == pattern)
    }

    @Test(arguments: [
        ("*/subpath2", "missing argument to repetition operator: `*`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("+", "missing argument to repetition operator: `+`"),
        ("a|*", "missing argument to repetition operator: `*`"),
        ("(?:+)", "missing argument to repetition operator: `+`"),
        ("a{2}{3}", "invalid nested repetition operator: `{2}{3}`"),
        ("{2}", "missing argument to repetition operator: `{2}`"), ("(a", "missing closing )"),
        ("a)", "unexpected )"),
        ("[a", "missing closing ]: `[a`"), ("[", "missing closing ]: `[`"),
        ("[z-a]", "invalid character class range: `z-a`"),
        (#"[a-\d]"#, #"invalid character class range: `a-\d`"#),
        ("[[:x:]]", "invalid character class range: `[:x:]`"),
        ("a\\", "trailing backslash at end of expression"),
        (#"\1"#, #"invalid escape sequence: `\1`"#),
        (#"\8"#, #"invalid escape sequence: `\8`"#), (#"\y"#, #"invalid escape sequence: `\y`"#),
        (#"\C"#, #"invalid escape sequence: `\C`"#), (#"\xZ"#, #"invalid escape sequence: `\x`"#),
        (#"\x{110000}"#, #"invalid escape sequence: `\x{110000}`"#),
        ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
        ("(?!a)", "invalid or unsupported Perl syntax: `(?!`"),
        ("(?<=a)", "invalid named capture: `(?<`"),
        ("(?P=a)", "invalid or unsupported Perl syntax: `(?P`"), ("(?i", "missing closing )"),
        ("a{1001}", "invalid repeat count: `{1001}`"), ("a{3,2}", "invalid repeat count: `{3,2}`"),
        (#"\p{Greek}"#, #"unknown or unsupported Unicode class: `\p{Greek}`"#),
        ("[[a]", "unmatched"),
        ("((a{100}){100}){100}", "expression is too large"),
        ("((((){1000}){1000}){1000}){1000}", "expression is too large"),
        (String(repeating: "(", count: 5000), "expression nests too deeply"),
    ])
    func malformed(pattern: String, message: String) throws {
        if message == "unmatched" {
            #expect(try PathPattern(pattern).matches("["))
            return
        }
        let error = #expect(throws: PathPattern.Malformed.self) { try PathPattern(pattern) }
        #expect(error?.message == message)
    }

    /// Backtracking engines need 2^n steps for these.
    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            #"^(a+)+$"#, #"(a|a)*b"#, #"(a*)*c"#, #"(.*a){12}$"#, #"(x+x+)+y"#,
            #"^(([a-z])+.)+[A-Z]([a-z])+$"#,
        ]
    )
    func noPathTakesLong(pattern: String) throws {
        let expression = try PathPattern(pattern)
        let path = String(repeating: "a", count: 2_000) + "!"
        _ = expression.matches(path)
        _ = expression.matches(String(repeating: "x", count: 2_000))
    }

    @Test(.timeLimit(.minutes(1))) func randomExpressionsNeverCrash() {
        let pieces = Array(#"ab(){}[]*+?|\^$.,:-<>PQEdpLx0129i"#).map(String.init)
        for _ in 0..<5_000 {
            let pattern = (0..<Int.random(in: 0..<14)).map { _ in pieces.randomElement() ?? "" }
                .joined()
            if let expression = try? PathPattern(pattern) { _ = expression.matches("ab01/é\n") }
        }
    }
}
