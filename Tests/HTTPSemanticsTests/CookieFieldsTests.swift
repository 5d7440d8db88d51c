import HTTPSemantics
import Testing

/// Cookies of one name are taken out of a request; all else stays as it was.
@Suite struct CookieFieldsTests {
    @Test(
        arguments: [
            ("own=1", nil, ["1"]),
            ("own=1;", nil, ["1"]),
            (" own=1 ; own=2", nil, ["1", "2"]),
            ("own=1; a=2", "a=2", ["1"]),
            ("a=2; own=1", "a=2", ["1"]),
            ("a=2;own=1;b=3", "a=2;b=3", ["1"]),
            ("a=\"x y\"; own=\"q\" ;  b=,&=; c", "a=\"x y\";  b=,&=; c", ["\"q\""]),
            (" a=2; own=; b=3 ", " a=2; b=3 ", [""]),
            ("own = v=w", nil, ["v=w"]),
            ("Own=1; owner=2; xown=3; own", "Own=1; owner=2; xown=3; own", []),
            ("a=own=1", "a=own=1", []),
            ("\u{10FFE9}=1; own=\u{10FFE9}; ü=2", "\u{10FFE9}=1; ü=2", ["\u{10FFE9}"]),
            ("", "", []),
            (" ; ", " ; ", []),
        ] as [(String, String?, [String])]
    )
    func theOneIsTaken(cookies: String, rest: String?, values: [String]) {
        var fields: HTTPFields = ["Accept": "own=7", "COOKIE": cookies, "X": "y"]
        let taken = fields.takeCookies("own")
        #expect(taken.map(String.init) == values)
        #expect(fields.first("accept") == "own=7" && fields.first("x") == "y")
        #expect(fields.values("cookie") == (rest.map { [$0] } ?? []))
    }

    @Test func severalFieldsStaySeveral() {
        var fields: HTTPFields = ["Cookie": "a=1", "Cookie": "own=2", "Cookie": "own=3; b=4"]
        #expect(fields.takeCookies("own") == ["2", "3"])
        #expect(fields == ["Cookie": "a=1", "Cookie": "b=4"])
    }

    @Test func oneThatIsSetIsRemoved() {
        var fields: HTTPFields = [
            "Set-Cookie": "own=1; Path=/", "set-cookie": "own", "Set-Cookie": " own =2",
            "Set-Cookie": "a=b; own=1", "Cookie": "own=1",
        ]
        fields.removeSetCookies("own")
        #expect(
            fields == ["set-cookie": "own", "Set-Cookie": "a=b; own=1", "Cookie": "own=1"]
        )
    }
}
