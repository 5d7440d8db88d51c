import ConfigurationFile
import Glibc
import HTTPSemantics
import Testing

@testable import CulvertDNS

@Suite struct NsupdateTests {
    private static let server = HostPort(host: "192.0.2.1", port: 5353)

    private func provider() throws -> DNSProvider {
        DNSProvider(
            zone: try NormalizedHost("example.test"),
            method: .nsupdate(server: Self.server, keyFile: "/k")
        )
    }

    private func script(_ step: NsupdateScript.Step, _ records: NameRecords) throws -> [String] {
        let provider = try self.provider()
        let text = NsupdateScript(step, records, server: Self.server, provider: provider).text
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        #expect(lines.prefix(2) == ["server 192.0.2.1 5353", "zone example.test."])
        #expect(lines.suffix(2) == ["send", ""])
        return Array(lines.dropFirst(2).dropLast(2))
    }

    @Test func anAliasStandsAlone() throws {
        let records = NameRecords(
            name: try HostPattern("*.App.example.test."),
            value: .alias(of: try NormalizedHost("Edge.test"))
        )
        let name = "*.app.example.test."
        #expect(try self.script(.check, records) == ["prereq yxrrset \(name) CNAME edge.test."])
        #expect(
            try self.script(.make, records) == [
                "prereq nxdomain \(name)", "update add \(name) 300 CNAME edge.test.",
            ]
        )
        let replacing = try self.script(.replace, records)
        #expect(replacing.contains("prereq nxrrset \(name) MX"))
        #expect(!replacing.contains("prereq nxrrset \(name) A"))
        #expect(
            replacing.filter { !$0.hasPrefix("prereq nxrrset") } == [
                "update delete \(name) CNAME", "update delete \(name) A",
                "update delete \(name) AAAA", "update add \(name) 300 CNAME edge.test.",
            ]
        )
        #expect(
            try self.script(.remove, records) == [
                "prereq yxrrset \(name) CNAME edge.test.", "update delete \(name) CNAME",
            ]
        )
        #expect("\(records)" == "*.app.example.test. CNAME edge.test.")
    }

    @Test func addressesAreTheWholeSet() throws {
        let addresses = try ["192.0.2.7", "2001:db8::1", "192.0.2.8"].map {
            try #require(IPAddress($0))
        }
        let name = "example.test."
        let both = NameRecords(name: try HostPattern("example.test"), value: .addresses(addresses))
        #expect(
            try self.script(.make, both) == [
                "prereq nxrrset \(name) CNAME", "prereq nxrrset \(name) A",
                "prereq nxrrset \(name) AAAA", "update add \(name) 300 A 192.0.2.7",
                "update add \(name) 300 A 192.0.2.8", "update add \(name) 300 AAAA 2001:db8::1",
            ]
        )
        let four = NameRecords(
            name: try HostPattern("example.test"),
            value: .addresses([addresses[0]])
        )
        #expect(
            try self.script(.check, four) == [
                "prereq yxrrset \(name) A 192.0.2.7", "prereq nxrrset \(name) AAAA",
            ]
        )
        #expect(
            try self.script(.remove, four) == [
                "prereq yxrrset \(name) A 192.0.2.7", "prereq nxrrset \(name) AAAA",
                "update delete \(name) A",
            ]
        )
    }

    @Test(
        arguments: [
            ("", 0, nil),
            ("update failed: REFUSED\n", 2, "update-policy"),
            (
                "; TSIG error with server: tsig indicates error\nupdate failed: NOTAUTH(BADKEY)\n",
                2,
                "BADKEY"
            ),
            ("update failed: NOTAUTH(BADSIG)\n", 2, "another secret"),
            ("update failed: NOTAUTH(BADTIME)\n", 2, "clocks"),
            ("update failed: NOTAUTH\n", 2, "no primary"), ("update failed: SERVFAIL\n", 2, "log"),
            ("update failed: NOTZONE\n", 2, "not in example.test"),
            ("update failed: NOTIMP\n", 2, "dynamic updates"),
            ("update failed: WHAT\u{1B}\n", 2, "WHAT\\u{1b}"),
            ("could not read key from /k.{private,key}: file not found\n", 0, "/k"),
            ("; Communication with 192.0.2.1#53 failed: timed out\n", 1, "timed out"),
            ("couldn't get address for 'x': not found\n", 1, "has no address"),
            ("something\n", 1, "something"), ("", 1, "does not say why"),
        ] as [(String, Int32, String?)]
    )
    func whatItSaysIsExplained(errors: String, status: Int32, words: String?) throws {
        let end = ProgramEnd(.exited(status), errors: errors)
        let reply = NsupdateReply(
            end,
            server: Self.server,
            keyFile: "/k",
            provider: try self.provider()
        )
        guard let words else {
            #expect(reply == .done)
            return
        }
        guard case .failed(let text) = reply else {
            Issue.record("\(reply)")
            return
        }
        #expect(text.contains(words), "\(text)")
    }

    @Test func thatItDoesNotRunIsExplained() throws {
        for (cause, words) in [
            (ProgramEnd.Cause.notStarted(ENOENT), "bind9-dnsutils"),
            (.notStarted(EACCES), "Permission denied"), (.timedOut, "within 30s"),
            (.signalled(9), "signal 9"),
        ] {
            let reply = NsupdateReply(
                ProgramEnd(cause),
                server: nil,
                keyFile: nil,
                provider: try self.provider()
            )
            guard case .failed(let text) = reply else {
                Issue.record("\(reply)")
                continue
            }
            #expect(text.contains(words), "\(text)")
        }
    }
}
