import Testing

@testable import HTTPSemantics

@Suite("Host patterns and the route table")
struct RouteTableTests {
    @Test func wildcardsMatchAsInCloudflared() throws {
        let pattern = try HostPattern("*.Example.com")
        #expect(pattern.match(try NormalizedHost("a.example.com")) == .wildcard(suffixBytes: 11))
        #expect(pattern.match(try NormalizedHost("b.a.example.com")) != nil)
        #expect(pattern.match(try NormalizedHost("example.com")) == nil)
        #expect(pattern.match(try NormalizedHost("badexample.com")) == nil)
        #expect(try HostPattern("*").match(try NormalizedHost("[::1]")) == .any)
        #expect(HostMatch.exact > .wildcard(suffixBytes: 250))
        #expect(HostMatch.wildcard(suffixBytes: 5) > .wildcard(suffixBytes: 3))
        #expect(HostMatch.wildcard(suffixBytes: 1) > .any)
    }

    @Test(arguments: [
        "a.*.b", "*a.b", "*.*.b", "a.*", "**", "*.127.0.0.1", "*.", "", "a:80", "*.[::1]",
    ])
    func refusesOtherPatterns(_ text: String) {
        #expect(throws: HostPatternError.self) { try HostPattern(text) }
    }

    @Test func anyIsRefusedWhereItMayNotStand() {
        #expect(throws: HostPatternError.anyNotAllowed) { try HostPattern("*", allowsAny: false) }
    }

    @Test func bestMatchWinsWhateverTheOrder() throws {
        let texts = ["*", "*.com", "*.example.com", "a.example.com", "*.b.example.com"]
        for rotation in texts.indices {
            let rows = try (texts[rotation...] + texts[..<rotation]).map {
                (try HostPattern($0), $0)
            }
            let table = try RouteTable(rows)
            #expect(table.count == 5)
            let expected = [
                "a.example.com": "a.example.com", "x.example.com": "*.example.com",
                "b.example.com": "*.example.com", "x.b.example.com": "*.b.example.com",
                "x.a.example.com": "*.example.com", "example.com": "*.com", "com": "*",
                "127.0.0.1": "*", "a.example.org": "*",
            ]
            for (host, target) in expected {
                #expect(table.target(for: try NormalizedHost(host)) == target, "\(host)")
            }
        }
    }

    @Test func lookUpAgreesWithTryingEveryPattern() throws {
        var random = SplitMix(seed: 7)
        let labels = ["a", "b", "c"]
        for _ in 0..<200 {
            var rows: [HostPattern: Int] = [:]
            for row in 0..<8 {
                let depth = Int.random(in: 1...4, using: &random)
                var name = (0..<depth).map { _ in labels.randomElement(using: &random) ?? "a" }
                if Bool.random(using: &random) { name.insert("*", at: 0) }
                rows[try HostPattern(name.joined(separator: "."))] = row
            }
            let table = try RouteTable(rows.map { ($0.key, $0.value) })
            for _ in 0..<50 {
                let depth = Int.random(in: 1...6, using: &random)
                let name = (0..<depth).map { _ in labels.randomElement(using: &random) ?? "a" }
                let host = try NormalizedHost(name.joined(separator: "."))
                let best = rows.compactMap { row in row.key.match(host).map { ($0, row.value) } }
                    .max { $0.0 < $1.0 }
                #expect(table.target(for: host) == best?.1)
                #expect(table.lookUp(host)?.match == best?.0)
            }
        }
    }

    @Test func rowsThatArePutInAndTakenOutMakeTheSameTable() throws {
        var random = SplitMix(seed: 11)
        let patterns = try [
            "*", "*.c", "*.b.c", "*.a.b.c", "a.b.c", "b.c", "c", "*.a", "a", "127.0.0.1",
        ].map { try HostPattern($0) }
        let hosts = try ["c", "b.c", "a.b.c", "x.a.b.c", "x.c", "a", "x.y.a", "127.0.0.1", "z"]
            .map { try NormalizedHost($0) }
        var rows: [HostPattern: Int] = [:]
        var table = RouteTable<Int>()
        for target in 0..<500 {
            let pattern = try #require(patterns.randomElement(using: &random))
            rows[pattern] = Bool.random(using: &random) ? target : nil
            table[pattern] = rows[pattern]
            let made = try RouteTable(rows.map { ($0.key, $0.value) })
            #expect(table.count == rows.count)
            for pattern in patterns { #expect(table[pattern] == rows[pattern]) }
            for host in hosts {
                #expect(table.target(for: host) == made.target(for: host), "\(target): \(host)")
            }
        }
    }

    @Test(
        arguments: [
            ("a.b.c", "a.b.c"), ("x.b.c", "*.b.c"), ("*.b.c", "*.b.c"), ("*.a.b.c", "*.b.c"),
            ("*.x.c", "*"), ("*.c", "*"), ("*", "*"), ("c", "*"),
        ]
    )
    func aPatternIsCoveredByItsBestRow(pattern: String, row: String) throws {
        let table = try RouteTable(["*", "*.b.c", "a.b.c"].map { (try HostPattern($0), $0) })
        #expect(table.target(covering: try HostPattern(pattern)) == row)
    }

    @Test func theParentsOfAHost() throws {
        #expect(try NormalizedHost("a.b.c").parents.map(\.name) == ["b.c", "c"])
        #expect(try NormalizedHost("c").parents.isEmpty)
        #expect(try NormalizedHost("127.0.0.1").parents.isEmpty)
        #expect(try NormalizedHost("[::1]").parents.isEmpty)
        let host = try NormalizedHost("b.c")
        #expect(HostPattern(below: host) == (try HostPattern("*.b.c")))
        #expect(HostPattern(below: host).description == "*.b.c")
    }

    @Test func duplicatesAreRefusedByBothNames() throws {
        let rows = [
            (try HostPattern("bücher.example"), 1), (try HostPattern("xn--bcher-kva.Example."), 2),
        ]
        let error = RouteTableError.duplicate(
            first: "bücher.example",
            firstRow: 0,
            second: "xn--bcher-kva.Example.",
            secondRow: 1
        )
        #expect(throws: error) { try RouteTable(rows) }
        #expect(
            "\(error)".contains("bücher.example") && "\(error)".contains("xn--bcher-kva.Example.")
        )
    }

    @Test func twentyThousandHosts() throws {
        let rows = try (0..<20_000).map {
            (
                try HostPattern(
                    $0.isMultiple(of: 2) ? "h\($0).example.com" : "*.h\($0).example.com"
                ), $0
            )
        }
        let table = try RouteTable(rows)
        #expect(table.target(for: try NormalizedHost("h19998.example.com")) == 19_998)
        #expect(table.target(for: try NormalizedHost("x.y.h19999.example.com")) == 19_999)
        #expect(table.target(for: try NormalizedHost("h19999.example.com")) == nil)
        let deep = Array(repeating: "a", count: 126).joined(separator: ".")
        #expect(table.target(for: try NormalizedHost(deep)) == nil)
    }
}
