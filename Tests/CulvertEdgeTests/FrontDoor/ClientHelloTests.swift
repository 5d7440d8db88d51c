import Testing

@testable import CulvertEdge

@Suite struct ClientHelloTests {
    private static let expected = ClientHelloResult.hello(
        ClientHello(serverName: "app.example.com", applicationProtocols: ["h2", "http/1.1"])
    )

    /// A result for every prefix: `needMore` asks for bytes that are not there yet and never for
    /// more than there will be; the answer, once given, stays.
    private func expectSameAtEverySplit(_ bytes: [UInt8], is expected: ClientHelloResult) {
        var answered = false
        for count in 0...bytes.count {
            switch ClientHello.parse(bytes[..<count]) {
            case .needMore(let minimumBytes):
                #expect(!answered && minimumBytes > count && minimumBytes <= bytes.count)
            case let result:
                answered = true
                #expect(result == expected, "after \(count) bytes")
            }
        }
        #expect(answered)
    }

    @Test func everySplitOfOneRecord() {
        self.expectSameAtEverySplit(HelloBytes().records(), is: Self.expected)
    }

    @Test(arguments: [1, 2, 3, 4, 5, 7, 60, 100])
    func everySplitOfManyRecords(fragment: Int) {
        self.expectSameAtEverySplit(HelloBytes().records(fragment: fragment), is: Self.expected)
    }

    @Test func askingForWhatIsMissingReachesTheAnswer() {
        let bytes = HelloBytes().records(fragment: 50)
        var count = 0
        var rounds = 0
        while case .needMore(let minimumBytes) = ClientHello.parse(bytes[..<count]) {
            count = minimumBytes
            rounds += 1
        }
        #expect(ClientHello.parse(bytes[..<count]) == Self.expected)
        #expect(rounds < 20)
    }

    @Test func whatFollowsTheHelloIsNotLookedAt() {
        let bytes = HelloBytes().records() + [23, 3, 3, 0xFF, 0xFF, 1]
        #expect(ClientHello.parse(bytes[...]) == Self.expected)
    }

    @Test(arguments: [0, 1, 2, 3, 4] as [UInt8])
    func everyRecordVersion(minor: UInt8) {
        var hello = HelloBytes()
        hello.recordVersion = minor
        #expect(ClientHello.parse(hello.records()[...]) == Self.expected)
    }

    @Test func withoutNameProtocolsOrExtensions() {
        let nothing = ClientHelloResult.hello(
            ClientHello(serverName: nil, applicationProtocols: [])
        )
        let bare = HelloBytes(serverName: nil, protocols: [])
        #expect(ClientHello.parse(bare.records()[...]) == nothing)
        let old = HelloBytes(serverName: nil, protocols: [], hasExtensions: false)
        #expect(ClientHello.parse(old.records()[...]) == nothing)
    }

    @Test(arguments: ["APP.Example.COM", "app.example.com."])
    func namesAreNormalised(name: String) {
        #expect(ClientHello.parse(HelloBytes.named(name).records()[...]) == Self.expected)
    }

    @Test(arguments: [
        "", ".", "a\0b", "a b", "münchen.example", String(repeating: "a", count: 256),
    ])
    func badNamesAreRefused(name: String) {
        self.expectMalformed(HelloBytes.named(name))
    }

    @Test func doubledExtensionsAndNamesAreRefused() {
        var twice = HelloBytes()
        twice.extraExtensions = [(0, HelloBytes.serverNameBody([[0x61]]))]
        self.expectMalformed(twice)
        var twoNames = HelloBytes(serverName: nil)
        twoNames.extraExtensions = [(0, HelloBytes.serverNameBody([[0x61], [0x62]]))]
        self.expectMalformed(twoNames)
        var twoLists = HelloBytes()
        twoLists.extraExtensions = [(16, [0, 2, 1, 0x61])]
        self.expectMalformed(twoLists)
        var noNames = HelloBytes(serverName: nil)
        noNames.extraExtensions = [(0, [0, 0])]
        self.expectMalformed(noNames)
    }

    @Test func lengthsThatLieAreRefused() {
        for (index, value) in [(8, UInt8(1)), (43, 33), (76, 0xFF), (3, 0xFF)] {
            var bytes = HelloBytes().records()
            bytes[index] = value
            self.expectMalformed(bytes + [UInt8](repeating: 0, count: 70_000))
        }
    }

    @Test func moreThanTheLimitIsRefused() {
        var hello = HelloBytes()
        hello.extraExtensions = [(21, [UInt8](repeating: 0, count: ClientHello.maximumBytes))]
        let bytes = hello.records()
        for count in 0...bytes.count {
            guard case .needMore = ClientHello.parse(bytes[..<count]) else {
                #expect(count < 100)
                break
            }
        }
        self.expectMalformed(bytes)
        // Within the limit as a message, beyond it in records of one byte.
        hello.extraExtensions = [(21, [UInt8](repeating: 0, count: 4_000))]
        #expect(ClientHello.parse(hello.records()[...]) == Self.expected)
        self.expectMalformed(hello.records(fragment: 1))
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\n", "POST /x HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n", "M-SEARCH * ",
    ])
    func plainHTTPIsSeen(text: String) {
        let answer = ClientHelloResult.notTLS(looksLikeHTTP: true)
        self.expectSameAtEverySplit(Array(text.utf8), is: answer)
    }

    @Test func otherProtocolsAreNotHTTP() {
        let texts = ["SSH-2.0-OpenSSH_9\r\n", "hello\r\n", " GET / ", "AB ", "\0\0"]
        for text in texts {
            #expect(ClientHello.parse(Array(text.utf8)[...]) == .notTLS(looksLikeHTTP: false))
        }
        let endless = [UInt8](repeating: 0x41, count: 100)
        #expect(ClientHello.parse(endless[...]) == .notTLS(looksLikeHTTP: false))
        #expect(ClientHello.parse([0x80, 0x2E, 1, 0, 2]) == .notTLS(looksLikeHTTP: false))
    }

    /// Random damage never traps, and no answer changes when more bytes come.
    @Test func mutationsNeverTrap() {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededRandom(state: seed)
        let originals = [1, 16, 16_384].map { HelloBytes().records(fragment: $0) }
        for round in 0..<30_000 {
            var bytes = originals[Int.random(in: 0..<3, using: &random)]
            for _ in 0...Int.random(in: 0..<4, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[index] = UInt8.random(in: 0 ... .max, using: &random)
                case 1: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                case 2 where bytes.count > 1: bytes.remove(at: index)
                default: bytes.insert(UInt8.random(in: 0 ... .max, using: &random), at: index)
                }
            }
            let whole = ClientHello.parse(bytes[...])
            let split = Int.random(in: 0...bytes.count, using: &random)
            let early = ClientHello.parse(bytes[..<split])
            if case .needMore = early { continue }
            #expect(early == whole, "seed \(seed), round \(round)")
        }
    }

    private func expectMalformed(_ hello: HelloBytes) { self.expectMalformed(hello.records()) }

    private func expectMalformed(_ bytes: [UInt8]) {
        let result = ClientHello.parse(bytes[...])
        guard case .malformed = result else {
            Issue.record("\(result)")
            return
        }
    }
}

/// SplitMix64.
struct SeededRandom: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
