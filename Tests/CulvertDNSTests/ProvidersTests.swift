import ConfigurationFile
import Foundation
import HTTPSemantics
import Testing

@testable import CulvertDNS

@Suite struct ProvidersTests {
    private func parse(_ text: String) throws(ConfigurationProblems) -> DNSProviders {
        try DNSProviders.parse(
            text,
            reader: ConfigurationReader(file: "d/dns.yml", home: "/home/me")
        )
    }

    private func problems(_ text: String) -> [String] {
        do {
            _ = try self.parse(text)
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }

    @Test func readsEverything() throws {
        let read = try self.parse(
            """
            providers:
              - zone: Example.com.
                nsupdate: {server: "[::1]:5353", key-file: ~/tsig.key}
                ttl: 60
                timeout: 5s
              - {zone: example.org, nsupdate: {}}
              - {zone: b.example.org, hook: [hook.sh, 1, "a b"]}
            """
        )
        let expected = [
            DNSProvider(
                zone: try NormalizedHost("example.com"),
                method: .nsupdate(
                    server: HostPort(host: "::1", port: 5353),
                    keyFile: "/home/me/tsig.key"
                ),
                ttlSeconds: 60,
                timeout: .seconds(5)
            ),
            DNSProvider(
                zone: try NormalizedHost("example.org"),
                method: .nsupdate(server: nil, keyFile: nil)
            ),
            DNSProvider(
                zone: try NormalizedHost("b.example.org"),
                method: .hook(["d/hook.sh", "1", "a b"])
            ),
        ]
        #expect(read.providers == expected)
    }

    @Test func everyProblemIsReportedAtOnce() {
        let text = """
            providers:
              - zone: 192.0.2.1
                hook: [x]
              - {zone: a.test}
              - {zone: b.test, hook: [x], nsupdate: {}}
              - {zone: c.test, hook: [], ttl: 0}
              - {zone: d.test, nsupdate: {sever: x}, timeout: 1h}
              - {zone: e.test, nsupdate: {server: "fe80::1%a b"}}
              - {zone: f.test, nsupdate: {server: "[fe80::1%a;b]:53"}}
              - {zone: g.test, hook: [x]}
              - {zone: G.test, hook: [x]}
              - {hook: [x]}
            """
        let found = self.problems(text)
        #expect(
            found == [
                "d/dns.yml:2:11: providers[0].zone: is the name of a zone, not an address",
                "d/dns.yml:4:5: providers[1]: needs `nsupdate: {server: …, key-file: …}` or "
                    + "`hook: [PROGRAM]`",
                "d/dns.yml:5:26: providers[2].hook: excludes `nsupdate`: one of both makes the zone's "
                    + "records",
                "d/dns.yml:6:26: providers[3].hook: needs a program to run",
                "d/dns.yml:6:35: providers[3].ttl: has to be from 1 to 604800, found 0",
                "d/dns.yml:7:31: providers[4].nsupdate.sever: unknown key; did you mean `server`?",
                "d/dns.yml:7:51: providers[4].timeout: has to be from 1s to 10m, found 1h",
                "d/dns.yml:8:39: providers[5].nsupdate.server: an IPv6 address goes in brackets, as in "
                    + "[::1]:8080; found \"fe80::1%a b\"",
                "d/dns.yml:9:39: providers[6].nsupdate.server: needs a host and a port other than 0, "
                    + "found \"[fe80::1%a;b]:53\"",
                "d/dns.yml:11:5: providers[8]: the zone g.test has a provider already",
                "d/dns.yml:12:5: providers[9].zone: is missing: which zone is it, such as example.com?",
            ]
        )
        #expect(self.problems("").count == 2)
    }

    @Test func theExampleHasEveryKey() throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("conf/dns.yml")
        let text = try String(contentsOf: file, encoding: .utf8)
        let reader = ConfigurationReader(file: "conf/dns.yml")
        let read = try DNSProviders.parse(text, reader: reader)
        #expect(read.providers.count == 2)
        #expect(read.providers.allSatisfy { $0.ttlSeconds == 300 && $0.timeout == .seconds(30) })
        // Each has one of the two methods, and everything else.
        let absent = Set(reader.absentKeys.map { $0.split(separator: ".").last ?? "" })
        #expect(absent == ["hook", "nsupdate"])
    }

    @Test func theLongestZoneHasTheName() throws {
        let providers = try self.parse(
            """
            providers:
              - {zone: test, hook: [a]}
              - {zone: sub.example.test, hook: [b]}
              - {zone: example.test, hook: [c]}
            """
        )
        func zone(_ name: String) throws -> String? {
            providers.provider(of: try HostPattern(name))?.zone.name
        }
        #expect(try zone("a.sub.example.test") == "sub.example.test")
        #expect(try zone("sub.example.test") == "sub.example.test")
        #expect(try zone("*.sub.example.test") == "sub.example.test")
        #expect(try zone("xsub.example.test") == "example.test")
        #expect(try zone("*.example.test") == "example.test")
        #expect(try zone("other.test") == "test")
        #expect(try zone("elsewhere.org") == nil)
        #expect(try zone("*") == nil)
    }

    @Test func aFileThatOthersMayWriteIsRefused() throws {
        let file = NSTemporaryDirectory() + "culvert-dns-\(UUID().uuidString).yml"
        #expect(try DNSProviders.load(file: file) == DNSProviders())
        try "providers: [{zone: a.test, hook: [x]}]".write(
            toFile: file,
            atomically: true,
            encoding: .utf8
        )
        defer { unlink(file) }
        #expect(chmod(file, 0o644) == 0)
        #expect(try DNSProviders.load(file: file).providers.count == 1)
        #expect(chmod(file, 0o664) == 0)
        #expect(throws: ConfigurationProblems.self) { try DNSProviders.load(file: file) }
    }
}
