import Testing

@testable import HTTPSemantics

@Suite("Hop-by-hop fields")
struct HopByHopTests {
    @Test func dropsTheConnectionsOwn() {
        var fields: HTTPFields = [
            "Accept": "*/*", "connection": "keep-alive, X-Mine", "Keep-Alive": "5", "X-MINE": "1",
            "Proxy-Connection": "close", "Proxy-Authorization": "x", "Proxy-Authenticate": "x",
            "TE": "gzip", "Trailer": "x", "Transfer-Encoding": "chunked", "Upgrade": "h2c",
            "HTTP2-Settings": "AAA", "Last": "1",
        ]
        HopByHop.drop(from: &fields, direction: .request)
        #expect(fields == ["Accept": "*/*", "Last": "1"])
    }

    @Test func protectedFieldsCannotBeNamedAway() {
        let kept = [
            "Host", "X-Forwarded-For", "Authorization", "Cookie", "Content-Type", "X-Request-Id",
        ]
        var fields = HTTPFields(kept.map { ($0, "v") })
        let expected = fields
        fields.append("Connection", kept.joined(separator: ","))
        HopByHop.drop(from: &fields, direction: .request)
        #expect(fields == expected)
    }

    @Test func trailersSurviveInRequestsOnly() {
        var request: HTTPFields = ["te": "gzip;q=1, trailers", "A": "b", "Connection": "TE"]
        var response = request
        HopByHop.drop(from: &request, direction: .request)
        HopByHop.drop(from: &response, direction: .response)
        #expect(request == ["A": "b", "TE": "trailers"])
        #expect(response == ["A": "b"])
    }

    @Test func anAcceptedUpgradeKeepsItsMeaning() {
        var fields: HTTPFields = [
            "Upgrade": "WebSocket", "Connection": "keep-alive, Upgrade", "Sec-WebSocket-Key": "k",
        ]
        HopByHop.drop(from: &fields, direction: .request, upgrade: "websocket")
        #expect(
            fields == ["Sec-WebSocket-Key": "k", "Connection": "Upgrade", "Upgrade": "websocket"]
        )
    }

    @Test func optionsBeyondTheLimitAreIgnored() {
        var fields: HTTPFields = ["B70": "kept", "B3": "dropped"]
        fields.append("Connection", (0..<100).map { "b\($0)" }.joined(separator: ","))
        HopByHop.drop(from: &fields, direction: .request)
        #expect(fields == ["B70": "kept"])
    }

    static let handshake: HTTPFields = [
        "Connection": "keep-alive, Upgrade", "Upgrade": "websocket",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13",
    ]

    @Test func webSocketHandshake() {
        let good = Self.handshake
        #expect(WebSocketUpgrade.isRequested(method: "GET", isHTTP11: true, fields: good))
        #expect(!WebSocketUpgrade.isRequested(method: "POST", isHTTP11: true, fields: good))
        #expect(!WebSocketUpgrade.isRequested(method: "GET", isHTTP11: false, fields: good))
        let changes: [(String, String?)] = [
            ("Connection", "close"), ("Upgrade", "h2c"), ("Upgrade", "h2c, websocket"),
            ("Upgrade", nil),
            ("Sec-WebSocket-Key", "short"), ("Sec-WebSocket-Key", nil),
            ("Sec-WebSocket-Version", nil),
            ("Sec-WebSocket-Version", ""), ("Content-Length", "5"),
            ("Transfer-Encoding", "chunked"),
        ]
        for (name, value) in changes {
            var fields = good
            fields.remove(name)
            if let value { fields.append(name, value) }
            #expect(
                !WebSocketUpgrade.isRequested(method: "GET", isHTTP11: true, fields: fields),
                "\(name)"
            )
        }
        var twice = good
        twice.append("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        #expect(!WebSocketUpgrade.isRequested(method: "GET", isHTTP11: true, fields: twice))
        let accept: HTTPFields = [
            "Upgrade": "websocket", "Connection": "upgrade", "Sec-WebSocket-Accept": "x",
        ]
        #expect(WebSocketUpgrade.isAccepted(by: ResponseHead(status: 101, fields: accept)))
        #expect(!WebSocketUpgrade.isAccepted(by: ResponseHead(status: 200, fields: accept)))
        #expect(!WebSocketUpgrade.isAccepted(by: ResponseHead(status: 101)))
    }
}

@Suite("Forwarding fields")
struct ForwardingTests {
    private func apply(
        _ fields: HTTPFields,
        peer: String = "192.0.2.7",
        trusted: [String] = []
    ) throws -> HTTPFields {
        var head = RequestHead(
            method: "GET",
            scheme: "https",
            authority: "app.example.com",
            path: "/",
            fields: fields
        )
        let connection = VisitorConnection(
            peer: try #require(IPAddress(peer)),
            scheme: "https",
            trustedProxies: try trusted.map { try AddressRange($0) }
        )
        ForwardingRules.apply(to: &head, from: connection, randomBits: 0x0123 << 112 | 0xAB)
        return head.fields
    }

    private static let made = "0123000000000000000000000000" + "00ab"
    private static let spoofs: HTTPFields = [
        "X-Forwarded-For": "1.1.1.1", "x-forwarded-for": "2.2.2.2", "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "evil.example", "X-Forwarded-Port": "1", "Forwarded": "for=1.1.1.1",
        "X-Real-IP": "1.1.1.1", "CF-Connecting-IP": "1.1.1.1", "True-Client-IP": "1.1.1.1",
        "Proxy": "http://evil", "Culvert-Error": "x", "Via": "1.1 x", "Accept": "*/*",
    ]

    @Test func aVisitorIsNotBelieved() throws {
        #expect(
            try self.apply(Self.spoofs) == [
                "Via": "1.1 x", "Accept": "*/*", "X-Forwarded-For": "192.0.2.7",
                "X-Forwarded-Proto": "https", "X-Forwarded-Host": "app.example.com",
                "X-Request-Id": Self.made,
            ]
        )
    }

    @Test func aTrustedProxyIs() throws {
        let fields = try self.apply(Self.spoofs, trusted: ["10.0.0.0/8", "192.0.2.0/24"])
        #expect(fields.values("X-Forwarded-For") == ["1.1.1.1, 2.2.2.2, 192.0.2.7"])
        #expect(fields.values("X-Forwarded-Proto") == ["http"])
        #expect(fields.values("X-Forwarded-Host") == ["evil.example"])
        #expect(fields.values("Forwarded") == ["for=1.1.1.1"])
        #expect(!fields.contains("Proxy") && !fields.contains("Culvert-Error"))
    }

    @Test(
        arguments: [
            ("192.0.2.7", [], "1.1.1.1", "192.0.2.7"),
            ("192.0.2.7", ["192.0.2.0/24"], "1.1.1.1", "1.1.1.1"),
            ("192.0.2.7", ["192.0.2.0/24", "10.0.0.0/8"], "6.6.6.6, 1.1.1.1, 10.0.0.3", "1.1.1.1"),
            ("192.0.2.7", ["192.0.2.0/24"], "6.6.6.6, ::ffff:1.1.1.1", "1.1.1.1"),
            ("192.0.2.7", ["192.0.2.0/24"], "1.1.1.1, unknown", "192.0.2.7"),
            ("192.0.2.7", ["192.0.2.0/24"], "", "192.0.2.7"),
            ("2001:db8::1", ["2001:db8::/32"], "2001:db9::5, 2001:db8::9", "2001:db9::5"),
        ] as [(String, [String], String, String)]
    )
    func whoseRequestItIs(
        _ peer: String,
        _ trusted: [String],
        _ said: String,
        client: String
    ) throws {
        var head = RequestHead(
            method: "GET",
            scheme: "https",
            authority: "a.test",
            path: "/",
            fields: ["X-Forwarded-For": said]
        )
        let connection = VisitorConnection(
            peer: try #require(IPAddress(peer)),
            scheme: "https",
            trustedProxies: try trusted.map { try AddressRange($0) }
        )
        ForwardingRules.apply(to: &head, from: connection, randomBits: 0)
        #expect(ForwardingRules.client(of: head, over: connection) == client)
    }

    @Test func aTrustedProxysNonsenseIsReplaced() throws {
        let fields = try self.apply(
            [
                "X-Forwarded-Proto": "ftp", "X-Forwarded-Host": "a,b", "X-Forwarded-For": "",
                "X-Request-Id": "a", "x-request-id": "b",
            ],
            trusted: ["192.0.2.7"]
        )
        #expect(
            fields == [
                "X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https",
                "X-Forwarded-Host": "app.example.com", "X-Request-Id": Self.made,
            ]
        )
    }

    @Test(arguments: [
        "X_Forwarded_For", "X-Forwarded_For", "x_forwarded-host", "X.Forwarded.Proto", "X_Real_IP",
        "X_Request_Id", "Transfer_Encoding", "Content_Length", "CF_Connecting_IP", "Culvert_Error",
    ])
    func shadowsAreDroppedEvenFromTrustedProxies(_ name: String) throws {
        let fields = try self.apply([name: "1.1.1.1"], trusted: ["0.0.0.0/0"])
        #expect(!fields.contains(name))
        #expect(fields.values("X-Forwarded-For") == ["192.0.2.7"])
    }

    @Test(arguments: [
        "My_Field", "X_Forward", "Content-Type", "Cookie", "From", "Transfer-X", "Proxies",
    ])
    func otherFieldsPass(_ name: String) throws {
        #expect(try self.apply([name: "v"]).first(name) == "v")
    }

    @Test func requestIDs() throws {
        for good in ["a", "A-b_c.9", String(repeating: "x", count: 128)] {
            #expect(try self.apply(["X-Request-Id": good]).values("x-request-id") == [good])
        }
        for bad in ["", "a b", "a\"b", "é", String(repeating: "x", count: 129), "a,b"] {
            #expect(try self.apply(["X-Request-Id": bad]).values("x-request-id") == [Self.made])
        }
    }

    @Test func mappedPeersAreIPv4() throws {
        let fields = try self.apply([:], peer: "::ffff:10.1.2.3", trusted: ["10.0.0.0/8"])
        #expect(fields.first("X-Forwarded-For") == "10.1.2.3")
        let six = try self.apply(
            ["X-Forwarded-For": "x"],
            peer: "2001:DB8::1",
            trusted: ["2001:db8::/32"]
        )
        #expect(six.first("X-Forwarded-For") == "x, 2001:db8::1")
    }

    @Test func addressRanges() throws {
        let cases: [(String, String, Bool)] = [
            ("10.0.0.0/8", "10.255.255.255", true), ("10.0.0.0/8", "11.0.0.0", false),
            ("0.0.0.0/0", "1.2.3.4", true), ("0.0.0.0/0", "2001::", false),
            ("::/0", "2001::", true),
            ("1.2.3.4", "1.2.3.4", true), ("1.2.3.4/32", "1.2.3.5", false),
            ("fe80::/10", "febf::1", true), ("fe80::/10", "fec0::1", false),
            ("::1/128", "::1", true),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true), ("::/0", "10.0.0.1", false),
        ]
        for (range, address, expected) in cases {
            let address = try #require(IPAddress(address))
            #expect(try AddressRange(range).contains(address) == expected, "\(range) \(address)")
        }
        for bad in [
            "", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08", "10.0.0/8", "::/129", "a",
            "[::1]", "10.0.0.0/8/8", "10.0.0.0/+8", "fe80::1%eth0",
        ] {
            #expect(throws: AddressRangeError.self, "\(bad)") { try AddressRange(bad) }
        }
        #expect(throws: AddressRangeError.hostBitsSet("10.1.2.3/8", network: "10.0.0.0/8")) {
            try AddressRange("10.1.2.3/8")
        }
    }
}
