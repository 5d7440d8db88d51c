import HTTPSemantics
import Testing

@testable import CulvertConnector

@Suite(.timeLimit(.minutes(1)))
struct DestinationTests {
    private func rules(_ list: [(String, [Int], Bool)]) throws -> [IPRule] {
        try list.map { IPRule(prefix: try AddressRange($0.0), ports: $0.1, allow: $0.2) }
    }

    @Test(arguments: [
        ("10.1.2.3", 22, true), ("10.1.2.3", 23, false), ("10.9.0.1", 22, false),
        ("::ffff:10.1.2.3", 22, true), ("::ffff:10.9.0.1", 22, false), ("192.0.2.1", 22, false),
        ("2001:db8::5", 1, true), ("2001:db9::5", 1, false),
    ])
    func firstMatchDecidesAndNoneDenies(address: String, port: Int, isAllowed: Bool) throws {
        let rules = try self.rules([
            ("10.9.0.0/16", [], false), ("10.0.0.0/8", [22, 443], true),
            ("10.0.0.0/8", [], false), ("2001:db8::/32", [], true),
        ])
        let address = try #require(IPAddress(address))
        #expect(rules.allow(address, port: port) == isAllowed)
    }

    @Test func noRulesDenyEverything() throws {
        #expect(![IPRule]().allow(.v4(1), port: 1))
    }

    /// Linux connects to loopback for it.
    @Test(arguments: ["0.0.0.0", "::", "::ffff:0.0.0.0"])
    func theUnspecifiedAddressIsLoopback(address: String) throws {
        let address = try #require(IPAddress(address))
        let denied = try self.rules([
            ("127.0.0.0/8", [], false), ("::1/128", [], false), ("0.0.0.0/0", [], true),
            ("::/0", [], true),
        ])
        #expect(!denied.allow(address, port: 1))
    }

    @Test(
        arguments: [
            ("host:22", "host:22"), ("[::1]:22", "[::1]:22"), ("ssh://u@host:22/x", "host:22"),
            ("tcp://10.0.0.1:1", "10.0.0.1:1"), ("host", nil), ("", nil), (":22", nil),
            ("host:0", nil), ("host:99999", nil), ("a b:22", nil), ("host:22\u{0}", nil),
        ] as [(String, String?)]
    )
    func jumpDestinations(text: String, expected: String?) {
        for name in ["cf-access-jump-destination", "Culvert-Jump-Destination"] {
            let head = RequestHead(
                method: "GET",
                scheme: "https",
                authority: "b.test",
                path: "/",
                fields: [name: text]
            )
            #expect(TCPDestination(of: head)?.description == expected)
        }
    }

    @Test func twoDestinationsAreNone() {
        let name = "Cf-Access-Jump-Destination"
        let head = RequestHead(
            method: "GET",
            scheme: "https",
            authority: "b.test",
            path: "/",
            fields: [name: "a:1", name: "b:2"]
        )
        #expect(TCPDestination(of: head) == nil)
    }
}
