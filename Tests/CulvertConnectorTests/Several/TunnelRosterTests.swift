import ConfigurationFile
import Testing

@testable import CulvertConnector

/// Tunnels that are to be run in one process.
@Suite struct TunnelRosterTests {
    private func entry(
        _ source: String,
        _ credentials: Credentials,
        edge: String = "connect.example.com:443",
        dialled: String? = nil,
        metrics: String? = nil
    ) throws -> TunnelRoster.Entry {
        TunnelRoster.Entry(
            source: source,
            credentials: credentials,
            edge: try HostPort(edge),
            dialled: try HostPort(dialled ?? edge),
            metrics: try metrics.map { try HostPort($0) }
        )
    }

    private func credentials(_ name: String, id: String? = nil) -> Credentials {
        var credentials = Credentials(newFor: name)
        credentials.tunnelID = id
        return credentials
    }

    @Test("different tunnels go together, and are told apart by their names")
    func different() throws {
        let roster = TunnelRoster([
            try self.entry("a.yml", self.credentials("demo"), metrics: "127.0.0.1:1"),
            try self.entry("b.yml", self.credentials("shop")),
            try self.entry("c.yml", self.credentials("blog"), metrics: "127.0.0.1:1"),
        ])
        #expect(roster.mistakes == [])
        #expect(roster.labels == ["demo", "shop", "blog"])
        #expect(roster.metrics == HostPort(host: "127.0.0.1", port: 1))
    }

    @Test("no file needs to say where the metrics are")
    func noMetrics() throws {
        let roster = TunnelRoster([try self.entry("demo", self.credentials("demo"))])
        #expect(roster.metrics == nil && roster.mistakes == [])
    }

    @Test("the same tunnel at another edge is another connector of it, named with the edge")
    func otherEdge() throws {
        let demo = self.credentials("demo")
        let byName = TunnelRoster([
            try self.entry("a.yml", demo, edge: "a.test:443"),
            try self.entry("b.yml", demo, edge: "b.test:443"),
            try self.entry("c.yml", self.credentials("shop"), edge: "a.test:443"),
        ])
        #expect(byName.mistakes == [])
        #expect(byName.labels == ["demo@a.test:443", "demo@b.test:443", "shop"])
        let byAddress = TunnelRoster([
            try self.entry("a.yml", demo, dialled: "10.0.0.1:443"),
            try self.entry("b.yml", demo, dialled: "10.0.0.2:443"),
        ])
        #expect(byAddress.mistakes == [])
        #expect(byAddress.labels == ["demo@10.0.0.1:443", "demo@10.0.0.2:443"])
    }

    @Test("tunnels of one name at one edge are told apart by their ids")
    func sameName() throws {
        let roster = TunnelRoster([
            try self.entry("a", self.credentials("demo", id: "1111")),
            try self.entry("b", self.credentials("demo", id: "2222")),
        ])
        #expect(roster.mistakes == [])
        #expect(roster.labels == ["demo@1111", "demo@2222"])
    }

    @Test("the same tunnel twice at one edge is a mistake, by key, id or name")
    func twice() throws {
        let demo = self.credentials("demo")
        let pairs = [
            (demo, demo),
            (self.credentials("demo", id: "1111"), self.credentials("demo", id: "1111")),
            (self.credentials("demo"), self.credentials("demo")),
        ]
        for (first, second) in pairs {
            let roster = TunnelRoster([
                try self.entry("a.yml", first, edge: "Connect.example.com:443"),
                try self.entry("c.yml", self.credentials("shop")),
                try self.entry("b.token", second, edge: "connect.example.com:443"),
            ])
            #expect(roster.mistakes.count == 1)
            let mistake = try #require(roster.mistakes.first)
            #expect(
                mistake.hasPrefix("a.yml and b.token are the same tunnel, demo, at the same edge")
            )
        }
    }

    @Test("a declared tunnel and an owned one of its name are two")
    func declaredAndOwned() throws {
        let roster = TunnelRoster([
            try self.entry("a", self.credentials("demo")),
            try self.entry("b", self.credentials("demo", id: "1111")),
        ])
        #expect(roster.mistakes == [])
        #expect(Set(roster.labels).count == 2)
    }

    @Test("metrics at two addresses are a mistake that names the files")
    func metrics() throws {
        let roster = TunnelRoster([
            try self.entry("a.yml", self.credentials("demo")),
            try self.entry("b.yml", self.credentials("shop"), metrics: "127.0.0.1:1"),
            try self.entry("c.yml", self.credentials("blog"), metrics: "127.0.0.1:2"),
        ])
        #expect(roster.mistakes.count == 1)
        #expect(roster.mistakes.first?.hasPrefix("b.yml and c.yml say different `metrics`") == true)
    }
}
