import ControlAPI
import Foundation
import Testing

@testable import ControlClient

/// What people see.
@Suite struct PresentationTests {
    private let time: LocalTime

    init() throws {
        self.time = LocalTime(zone: try #require(TimeZone(secondsFromGMT: 3_600)))
    }

    @Test func columnsAreAsWideAsTheyHaveToBe() {
        var table = TextTable(["A", "LONG TITLE", "C"])
        table.add(["a longer cell", "", "x"])
        table.add(["ü", "y", "", "too many"])
        #expect(
            table.text == """
                A              LONG TITLE  C
                a longer cell              x
                ü              y
                """
        )
    }

    @Test func whatATerminalWouldObeyIsWrittenOut() {
        var table = TextTable(["A"])
        table.add(["\u{1B}[31mred\nnext\u{202E}"])
        #expect(table.text == "A\n\\u{1b}[31mred\\u{a}next\\u{202e}")
        var list = TextList()
        list.add("Name", "a\rb")
        #expect(list.text == "Name:  a\\u{d}b")
    }

    @Test func timesAreLocal() {
        #expect(self.time.minute(Sample.time) == "2026-11-27 21:53")
        #expect(self.time.second(Sample.time) == "2026-11-27 21:53:10")
        #expect(self.time.day(Sample.time) == "2026-11-27")
    }

    @Test func tunnelsInATable() {
        #expect(
            TunnelText.list([Sample.tunnel], owners: false, self.time) == """
                ID   NAME  CREATED           CONNECTORS  HOSTNAMES
                t-1  demo  2026-11-27 21:53  0           app.example.com, b.example.com
                """
        )
        #expect(
            TunnelText.list([Sample.tunnel], owners: true, self.time) == """
                ID   NAME  OWNER  CREATED           CONNECTORS  HOSTNAMES
                t-1  demo  ann    2026-11-27 21:53  0           app.example.com, b.example.com
                """
        )
    }

    @Test func whatIsSetForHostnamesAndWhatFails() {
        var tunnel = Sample.tunnel
        tunnel.routes = [
            HostnameDocument(
                hostname: "app.example.com",
                tunnel: "demo",
                url: nil,
                balance: "least-requests"
            ),
            HostnameDocument(
                hostname: "b.example.com",
                tunnel: "demo",
                url: nil,
                balance: "sticky",
                isDeclared: true
            ),
        ]
        tunnel.connectors = [nil, ["*", "b.example.com"]].map { unhealthy in
            ConnectorDocument(
                id: "s",
                agent: "a",
                address: "192.0.2.1",
                connectedAt: Sample.time,
                state: "connected",
                streams: 0,
                key: "k",
                configurationVersion: nil,
                configurationProblem: nil,
                unhealthyHostnames: unhealthy
            )
        }
        #expect(
            TunnelText.routes(tunnel) == """
                app.example.com
                b.example.com (declared in edge.yml: leads to the tunnel there)
                """
        )
        let text = TunnelText.details(tunnel, self.time)
        #expect(
            text.contains(
                """
                Hostnames:  app.example.com
                            b.example.com (sticky, declared in edge.yml: leads to the tunnel there)
                """
            ),
            "\(text)"
        )
        #expect(
            text.contains(
                """
                STATE      REQUESTS  KEY  UNHEALTHY
                s          192.0.2.1  a      2026-11-27 21:53  connected  0         k    -
                s          192.0.2.1  a      2026-11-27 21:53  connected  0         k    *, b.example.com
                """
            ),
            "\(text)"
        )
    }

    @Test func aTunnelWithAllThereIsToIt() {
        var tunnel = Sample.tunnel
        tunnel.configurationVersion = 2
        tunnel.connectors = [
            ConnectorDocument(
                id: "s-1",
                agent: "culvert/0.1.0",
                address: nil,
                connectedAt: Sample.time,
                state: "waiting",
                streams: 3,
                key: "first",
                configurationVersion: 1,
                configurationProblem: "ingress: is missing"
            )
        ]
        #expect(
            TunnelText.details(tunnel, self.time) == """
                Name:           demo
                ID:             t-1
                Owner:          ann
                Created:        2026-11-27 21:53
                Hostnames:      app.example.com
                                b.example.com
                Configuration:  version 2, kept by the edge

                CONNECTOR  ADDRESS  AGENT          SINCE             STATE    REQUESTS  KEY    CONFIGURATION
                s-1        -        culvert/0.1.0  2026-11-27 21:53  waiting  3         first  version 1: ingress: is missing

                KEY                                          LABEL  CREATED           EXPIRES  HOSTNAMES
                mB3xJb0k_-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA  first  2026-11-27 21:53  never    all
                """
        )
    }

    @Test func severalThingsThatAreWrongAreLinesBelowTheTable() {
        var tunnel = Sample.tunnel
        tunnel.connectors = [
            ConnectorDocument(
                id: "s-1",
                agent: "a",
                address: nil,
                connectedAt: Sample.time,
                state: "connected",
                streams: 0,
                key: "k",
                configurationVersion: 1,
                configurationProblem: "version 2:1: a\nversion 2:4: b\u{1B}"
            )
        ]
        let text = TunnelText.details(tunnel, self.time)
        #expect(text.contains("  version 1: 2 problems, see below\n\n"), "\(text)")
        let list = "Problems of s-1:  version 2:1: a\n                  version 2:4: b\\u{1b}\n"
        #expect(text.contains(list), "\(text)")
    }

    @Test func accountsAndWhatTheyDid() {
        var member = Sample.account
        (member.name, member.role, member.maximumTunnels) = ("bob", "member", 10)
        member.suffixes = ["bob.example.com"]
        #expect(
            AccountText.list([Sample.account, member], self.time) == """
                NAME  ROLE    TUNNELS   HOSTNAMES          CREATED           ID
                ann   admin   no limit  any                2026-11-27 21:53  a-1
                bob   member  up to 10  *.bob.example.com  2026-11-27 21:53  a-1
                """
        )
        #expect(
            AccountText.audit([Sample.entry(7)], self.time) == """
                REVISION  TIME                 WHO  WHAT           SUBJECT  DETAILS
                7         2026-11-27 21:53:10  ann  tunnel.create  demo     owner=ann some_key=x
                """
        )
    }

    @Test func sessionsAndWhenTheyEnd() {
        let sessions = [
            SessionDocument(
                id: "s-1",
                label: "laptop",
                createdAt: Sample.time,
                usedAt: Sample.time + 86_400,
                expiresAt: Sample.time + 3 * 86_400,
                isCurrent: true
            ),
            SessionDocument(id: "s-2", label: "a\u{1B}b", createdAt: Sample.time, isCurrent: false),
        ]
        let text = AccountText.sessions(sessions, self.time)
        #expect(
            text.split(separator: "\n").first
                == "ID   WHERE     SINCE             USED        ENDS UNLESS USED"
        )
        #expect(text.contains("s-1  laptop *  2026-11-27 21:53  2026-11-28  2026-11-30"))
        #expect(text.contains("2026-11-27 21:53  2026-11-27  never"))
        #expect(!text.contains("\u{1B}"))
    }

    @Test func invitationsThatAreOpen() {
        let invitations = [
            OpenInvitationDocument(
                id: "i-1",
                account: "ann",
                createdBy: "root",
                createdAt: Sample.time,
                expiresAt: Sample.time + 86_400
            ),
            OpenInvitationDocument(
                id: "i-2",
                account: "a\u{1B}b",
                createdAt: Sample.time,
                expiresAt: nil
            ),
        ]
        let text = AccountText.invitations(invitations, self.time)
        #expect(text.contains("i-1  ann       root        2026-11-27 21:53  2026-11-28 21:53"))
        #expect(text.contains("unknown     2026-11-27 21:53  it is used"))
        #expect(!text.contains("\u{1B}"))
    }

    @Test(arguments: [
        ("app.example.com", nil), ("APP.example.com", nil), ("*.example.com", nil),
        ("a.b.example.com", "a.b.example.com. CNAME connect.example.com."),
        ("example.com", "example.com. CNAME connect.example.com."),
        ("app.other.test", "app.other.test. CNAME connect.example.com."),
    ])
    func aHostnameNeedsARecordUnlessTheWildcardHasIt(hostname: String, record: String?) {
        #expect(DNSRecord(for: hostname, at: Sample.edge)?.description == record)
        var bare = Sample.edge
        bare.wildcard = nil
        #expect(DNSRecord(for: hostname, at: bare)?.target == "connect.example.com")
    }
}

/// Lines of `culvert tail`.
@Suite struct EventTextTests {
    private let time = LocalTime(zone: .gmt)
    private let at = Date(timeIntervalSince1970: 1_800_000_000)

    @Test func aRequest() {
        let event = EventDocument(
            "request",
            at: self.at,
            request: .init(
                id: "1",
                method: "GET",
                host: "a.test",
                path: "/x\u{1B}[31m",
                status: 0,
                error: "origin-timeout",
                address: "192.0.2.1",
                milliseconds: 12,
                bytesIn: 0,
                bytesOut: 0
            )
        )
        let line = EventText.line(event, self.time)
        #expect(line.hasPrefix("2027-01-15 08:00:00  ---  GET a.test/x"))
        #expect(line.hasSuffix("12 ms  192.0.2.1  origin-timeout"))
        #expect(!line.unicodeScalars.contains("\u{1B}"))
    }

    @Test func aConnector() {
        let event = EventDocument("lost", at: self.at, connector: "ab12")
        #expect(EventText.line(event, self.time) == "2027-01-15 08:00:00  connector ab12  lost")
    }
}
