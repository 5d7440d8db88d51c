import Testing

@testable import HTTPSemantics

/// How often a request has come by, by `CDN-Loop` (RFC 8586).
struct PassCountTests {
    private let passes = PassCount(name: "connect.example.com")

    @Test func eachPassIsAddedAndTheNinthIsOneTooMany() {
        var fields: HTTPFields = ["Accept": "*/*"]
        for pass in 1...PassCount.maximum {
            #expect(self.passes.add(to: &fields))
            let marks = Array(repeating: "connect.example.com", count: pass)
            #expect(fields.values("cdn-loop") == marks)
        }
        let full = fields
        #expect(!self.passes.add(to: &fields))
        #expect(fields == full && fields.first("accept") == "*/*")
    }

    @Test(
        "However the marks are written",
        arguments: [
            Array(repeating: "connect.example.com", count: 8),
            [Array(repeating: "connect.example.com", count: 8).joined(separator: ",")],
            [
                "CONNECT.example.com;v=1 , connect.example.com ; loops=3", "connect.example.com,,",
                "a, connect.example.com,connect.example.com\t,connect.example.com",
                "connect.example.com", "connect.example.com;x=\"y\"",
            ],
        ]
    )
    func spellings(lines: [String]) {
        var fields = HTTPFields(lines.map { (name: "cdn-loop", value: $0) })
        #expect(!self.passes.add(to: &fields))
    }

    @Test(
        "Other edges' marks stay, and do not count",
        arguments: [
            "cloudflare; loops=9", "xconnect.example.com", "connect.example.com.",
            "connect.example.co",
            "connect.example.com:8443", "", ";connect.example.com", "a;connect.example.com",
        ]
    )
    func others(mark: String) {
        var fields = HTTPFields(Array(repeating: (name: "CDN-Loop", value: mark), count: 20))
        #expect(self.passes.add(to: &fields))
        #expect(
            fields.values("CDN-Loop") == Array(repeating: mark, count: 20) + ["connect.example.com"]
        )
    }
}
