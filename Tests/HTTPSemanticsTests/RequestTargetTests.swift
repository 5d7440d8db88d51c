import Testing

@testable import HTTPSemantics

@Suite("Request targets")
struct RequestTargetTests {
    @Test func forms() throws {
        #expect(try RequestTarget("/a?b=c|{}", method: "GET") == .origin(path: "/a?b=c|{}"))
        #expect(try RequestTarget("//a", method: "GET") == .origin(path: "//a"))
        #expect(
            try RequestTarget("HTTP://A.b:80/c?d", method: "GET")
                == .absolute(scheme: "http", authority: "A.b:80", path: "/c?d")
        )
        #expect(
            try RequestTarget("https://a?x", method: "GET")
                == .absolute(scheme: "https", authority: "a", path: "/?x")
        )
        #expect(try RequestTarget("a.b:443", method: "CONNECT") == .authority("a.b:443"))
        #expect(try RequestTarget("*", method: "OPTIONS") == .asterisk)
    }

    static let refused: [(String, String, RequestTargetError)] = [
        ("GET", "", .empty),
        ("GET", "/a b", .illegalByte(0x20)),
        ("GET", "/a\r\n", .illegalByte(0x0D)),
        ("GET", "/ü", .illegalByte(0xC3)),
        ("GET", "/\u{7F}", .illegalByte(0x7F)),
        ("GET", "/a#b", .fragment),
        ("GET", "*", .asteriskWithoutOptions),
        ("GET", "a/b", .unknownForm),
        ("GET", "http:/a", .unknownForm),
        ("GET", "ftp://a/", .unsupportedScheme("ftp")),
        ("GET", "a.b:443", .unknownForm),
    ]

    @Test(arguments: refused)
    func refuses(_ method: String, _ target: String, _ error: RequestTargetError) {
        #expect(throws: error) { try RequestTarget(target, method: method) }
        #expect(error.status == 400)
    }

    private func decide(_ method: String, _ target: String, _ host: String?) throws
        -> RequestControlData
    {
        try RequestControlData(method: method, target: target, hostField: host, scheme: "https")
    }

    @Test func controlDataOfHTTP1() throws {
        let plain = try self.decide("GET", "/x", "Example.com.:443")
        #expect(plain.host.name == "example.com" && plain.authority == "example.com")
        #expect(plain.path == "/x")
        let absolute = try self.decide("GET", "http://Other.example:8443", "example.com")
        #expect(absolute.authority == "other.example:8443" && absolute.path == "/")
        #expect(try self.decide("OPTIONS", "http://a.b", nil).path == "*")
        #expect(try self.decide("OPTIONS", "*", "a.b").path == "*")
        #expect(throws: RequestTargetError.connectRefused) {
            try self.decide("CONNECT", "a:1", "a")
        }
        #expect(RequestTargetError.connectRefused.status == 405)
        #expect(throws: RequestTargetError.missingHost) { try self.decide("GET", "/", nil) }
        #expect(throws: RequestTargetError.missingHost) { try self.decide("GET", "/", "") }
        #expect(throws: RequestTargetError.missingHost) { try self.decide("GET", "http:///x", "a") }
        #expect(throws: RequestTargetError.invalidHost(.userinfo)) {
            try self.decide("GET", "http://u@a/", "a")
        }
        #expect(throws: RequestTargetError.invalidHost(.illegalByte(0x2C))) {
            try self.decide("GET", "http://a/", "a,b")
        }
    }

    @Test func controlDataOfHTTP2() throws {
        func decide(_ authority: String?, _ host: String?) throws -> RequestControlData {
            try RequestControlData(
                method: "GET",
                path: "/",
                authority: authority,
                hostField: host,
                scheme: "https"
            )
        }
        #expect(try decide("A.b", nil).authority == "a.b")
        #expect(try decide(nil, "a.b").authority == "a.b")
        #expect(try decide("a.b", "A.B:443").authority == "a.b")
        #expect(throws: RequestTargetError.conflictingHosts) { try decide("a.b", "a.c") }
        #expect(throws: RequestTargetError.conflictingHosts) { try decide("a.b", "a.b:8443") }
        #expect(throws: RequestTargetError.missingHost) { try decide(nil, nil) }
        #expect(throws: RequestTargetError.missingHost) { try decide("", "a.b") }
    }
}
