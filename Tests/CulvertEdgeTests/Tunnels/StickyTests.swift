import HTTPSemantics
import Testing
import TunnelWire

@testable import CulvertEdge

/// What the cookie of a sticky hostname says, and what becomes of it.
@Suite struct StickyTests {
    private static let first = SessionID(high: 1, low: 2)
    private static let second = SessionID(high: 1, low: 3)

    private func tokens(_ hostname: String = "a.test") -> StickyTokens {
        StickyTokens(hostname: hostname, connectors: [Self.first, Self.second, Self.first])
    }

    @Test func eachConnectorHasItsValue() throws {
        let tokens = self.tokens()
        let first = try #require(tokens.value(of: Self.first))
        let second = try #require(tokens.value(of: Self.second))
        #expect(first != second)
        #expect(tokens.connector(of: [Substring(first)]) == Self.first)
        #expect(tokens.connector(of: [Substring(second)]) == Self.second)
        #expect(tokens.value(of: SessionID(high: 9, low: 9)) == nil)
    }

    /// As it is at every edge, and after a restart: changing it loses every visitor's connector.
    @Test func aValueIsTheSameEverywhere() {
        #expect(self.tokens().value(of: Self.first) == "PjxpnhYAWjQG1Dj_oILyLQ")
    }

    @Test func aValueOfAnotherHostnameIsNone() throws {
        let other = try #require(self.tokens("b.test").value(of: Self.first))
        let tokens = self.tokens()
        #expect(tokens.connector(of: [Substring(other)]) == nil)
        #expect(tokens.connector(of: ["", "0000000100000002"]) == nil)
        #expect(tokens.connector(of: []) == nil)
        // The first that is good.
        let good = try #require(tokens.value(of: Self.second))
        #expect(tokens.connector(of: [Substring(other), Substring(good)]) == Self.second)
    }

    private func visit(_ fields: HTTPFields) -> StickyVisit {
        StickyVisit(
            RequestHead(
                method: "GET",
                scheme: "https",
                authority: "a.test",
                path: "/",
                fields: fields
            )
        )
    }

    @Test func theOriginSeesAllOtherCookies() {
        let visit = self.visit([
            "Cookie": "a=1; culvert-sticky=x; b=2", "X-Other": "culvert-sticky=y",
        ])
        #expect(visit.cookies == ["x"])
        #expect(visit.head.fields == ["Cookie": "a=1; b=2", "X-Other": "culvert-sticky=y"])
    }

    @Test func aVisitorThatHasItIsGivenNothing() {
        var answer = ResponseHead(status: 200, fields: ["Cache-Control": "public, max-age=60"])
        let before = answer
        self.visit([:]).found(nil).mark(&answer)
        #expect(answer == before)
    }

    @Test(
        arguments: [
            ("https", "culvert-sticky=v; Path=/; HttpOnly; SameSite=Lax; Secure"),
            ("http", "culvert-sticky=v; Path=/; HttpOnly; SameSite=Lax"),
        ]
    )
    func theCookieIsOfTheWholeHost(scheme: String, expected: String) {
        var answer = ResponseHead(status: 200)
        self.visit(["X-Forwarded-Proto": scheme]).found("v").mark(&answer)
        #expect(answer.fields.values("set-cookie") == [expected])
    }

    @Test(
        arguments: [
            (["Cache-Control": "public, max-age=60"], ["public, max-age=60", "private"]),
            (["Expires": "Thu, 01 Jan 2099 00:00:00 GMT"], ["private"]),
            (["cache-control": "max-age=60, Private"], ["max-age=60, Private"]),
            (["Cache-Control": "no-store"], ["no-store"]),
        ] as [(HTTPFields, [String])]
    )
    func noSharedCacheGivesItToOthers(fields: HTTPFields, expected: [String]) {
        var answer = ResponseHead(status: 200, fields: fields)
        self.visit([:]).found("v").mark(&answer)
        #expect(answer.fields.values("cache-control") == expected)
    }

    @Test func anOriginsOwnOfTheNameIsNotPassedOn() {
        let fields: HTTPFields = ["Set-Cookie": "culvert-sticky=mine; Path=/", "Set-Cookie": "a=b"]
        for value in [nil, "v"] {
            var answer = ResponseHead(status: 200, fields: fields)
            self.visit([:]).found(value).mark(&answer)
            let cookies = answer.fields.values("set-cookie").map { $0.prefix { $0 != ";" } }
            #expect(cookies == ["a=b"] + (value == nil ? [] : ["culvert-sticky=v"]))
        }
    }
}
