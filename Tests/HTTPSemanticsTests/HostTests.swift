import Testing

@testable import HTTPSemantics

@Suite("Hosts")
struct HostTests {
    static let valid: [(String, String)] = [
        ("example.com", "example.com"),
        ("EXAMPLE.Com", "example.com"),
        ("example.com.", "example.com"),
        ("localhost", "localhost"),
        ("a", "a"),
        ("my_app.example.com", "my_app.example.com"),
        ("foo-.example.com", "foo-.example.com"),
        ("r3---sn-abc.example.com", "r3---sn-abc.example.com"),
        ("1and1.com", "1and1.com"),
        ("example.1a", "example.1a"),
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("bu\u{308}cher.example", "xn--bcher-kva.example"),
        ("faß.de", "xn--fa-hia.de"),
        ("💩.la", "xn--ls8h.la"),
        ("❤\u{FE0F}.example", "xn--qei.example"),
        ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
        ("пример.испытание", "xn--e1afmkfd.xn--80akhbyknj4f"),
        ("παράδειγμα.δοκιμή", "xn--hxajbheg2az3al.xn--jxalpdlp"),
        ("\u{212A}.example", "k.example"),
        ("XN--BCHER-KVA.Example", "xn--bcher-kva.example"),
        ("xn--10cl1a0b660p.lk", "xn--10cl1a0b660p.lk"),
        ("[::1]", "[::1]"),
        ("[2001:DB8:0:0:0:0:0:1]", "[2001:db8::1]"),
        ("[2001:db8:0:1:1:1:1:1]", "[2001:db8:0:1:1:1:1:1]"),
        ("[2001:0:0:1:0:0:0:1]", "[2001:0:0:1::1]"),
        ("[2001:db8:0:0:1:0:0:1]", "[2001:db8::1:0:0:1]"),
        ("[::]", "[::]"),
        ("[1::]", "[1::]"),
        ("[::ffff:192.0.2.1]", "[::ffff:192.0.2.1]"),
        ("[64:ff9b::192.0.2.33]", "[64:ff9b::c000:221]"),
        (String(repeating: "a", count: 63) + ".b", String(repeating: "a", count: 63) + ".b"),
    ]

    @Test(arguments: valid)
    func normalizes(_ text: String, _ expected: String) throws {
        let host = try NormalizedHost(text)
        #expect(host.name == expected)
        #expect(try NormalizedHost(host.name) == host, "normalising is idempotent")
    }

    static let invalid: [(String, HostError)] = [
        ("", .empty),
        (".", .emptyLabel),
        ("..", .emptyLabel),
        (".example.com", .emptyLabel),
        ("example..com", .emptyLabel),
        ("example.com..", .emptyLabel),
        ("user@example.com", .userinfo),
        ("user:secret@example.com", .userinfo),
        ("ex%61mple.com", .percentEncoded),
        ("exa mple.com", .illegalByte(0x20)),
        ("example.com\t", .illegalByte(0x09)),
        ("example.com\0", .illegalByte(0)),
        ("example.com\r\nX: y", .illegalByte(0x0D)),
        ("example.com/path", .illegalByte(0x2F)),
        ("a\\b", .illegalByte(0x5C)),
        ("a,b", .illegalByte(0x2C)),
        ("*.example.com", .illegalByte(0x2A)),
        (String(repeating: "a", count: 64), .labelTooLong),
        (String(repeating: "ü", count: 63), .labelTooLong),
        (
            (0..<5).map { _ in String(repeating: "a", count: 60) }.joined(separator: "."),
            .nameTooLong
        ),
        (String(repeating: "ü", count: 600), .nameTooLong),
        ("127.1", .invalidIPv4("127.1")),
        ("1.2.3.4.5", .invalidIPv4("1.2.3.4.5")),
        ("256.1.1.1", .invalidIPv4("256.1.1.1")),
        ("010.0.0.1", .invalidIPv4("010.0.0.1")),
        ("0x7f.0.0.0x1", .invalidIPv4("0x7f.0.0.0x1")),
        ("2130706433", .invalidIPv4("2130706433")),
        ("foo.0x", .invalidIPv4("foo.0x")),
        ("::1", .invalidIPv6("::1")),
        ("[::1", .invalidIPv6("[::1")),
        ("[::1%25eth0]", .percentEncoded),
        ("[127.0.0.1]", .invalidIPv6("[127.0.0.1]")),
        ("[1:2:3:4:5:6:7:8:9]", .invalidIPv6("[1:2:3:4:5:6:7:8:9]")),
        ("[1::2::3]", .invalidIPv6("[1::2::3]")),
        ("[12345::]", .invalidIPv6("[12345::]")),
        ("[1:2:3:4:5:6:7::8]", .invalidIPv6("[1:2:3:4:5:6:7::8]")),
        ("[::1]x", .illegalByte(0x78)),
        ("xn--a.example", .invalidALabel("xn--a")),
        ("xn--.example", .invalidALabel("xn--")),
        ("xn--abc-.example", .invalidALabel("xn--abc-")),
        ("ａ.example", .illegalCharacter("ａ")),
        ("a\u{202E}b.example", .illegalCharacter("\u{202E}")),
        ("\u{301}a.example", .illegalCharacter("\u{301}")),
        ("ü b.example", .illegalByte(0x20)),
        ("\u{37E}.example", .illegalByte(0x3B)),
        ("a\u{37E}ü.example", .illegalCharacter(";")),
        ("a:80", .unexpectedPort),
    ]

    @Test(arguments: invalid)
    func refuses(_ text: String, _ expected: HostError) {
        #expect(throws: expected) { try NormalizedHost(text) }
        #expect(!expected.description.isEmpty)
    }

    @Test func portsAreSplitAndValidated() throws {
        #expect(try NormalizedAuthority("Example.com:8443").port == 8443)
        #expect(try NormalizedAuthority("[::1]:65535").port == 65535)
        #expect(try NormalizedAuthority("Example.com.:443").text(scheme: "https") == "example.com")
        #expect(try NormalizedAuthority("a.b:443").text(scheme: "http") == "a.b:443")
        #expect(try NormalizedAuthority("a.b:80").text(scheme: "http") == "a.b")
        #expect(try NormalizedAuthority("[::1]:8080").text(scheme: "http") == "[::1]:8080")
        // RFC 3986 §3.2.3: any digits, and none at all.
        #expect(try NormalizedAuthority("a.b:").text(scheme: "https") == "a.b")
        #expect(try NormalizedAuthority("[::1]:").port == nil)
        #expect(try NormalizedAuthority("a.b:0080").text(scheme: "http") == "a.b")
        #expect(try NormalizedAuthority("a.b:08080").text(scheme: "http") == "a.b:8080")
        for port in ["0", "65536", "+80", "-1", "8o", "99999", "123456", " 80"] {
            #expect(throws: HostError.self) { try NormalizedAuthority("a.b:\(port)") }
            #expect(throws: HostError.self) { try NormalizedAuthority("[::1]:\(port)") }
        }
        #expect(throws: HostError.empty) { try NormalizedAuthority(":80") }
        #expect(throws: HostError.self) { try NormalizedAuthority("a:1:2") }
    }

    @Test func whateverIsAcceptedIsCanonical() {
        var random = SplitMix(seed: 1)
        let alphabet: [Unicode.Scalar] = Array(
            "aZ09-._:[]%@xn-- üßİΣ。ﬁ\u{301}\u{200D}💩\u{212A}".unicodeScalars
        )
        var accepted = 0
        for _ in 0..<20_000 {
            var text = ""
            for _ in 0..<Int.random(in: 0...9, using: &random) {
                text.unicodeScalars.append(alphabet.randomElement(using: &random) ?? "a")
            }
            guard let host = try? NormalizedAuthority(text).host else { continue }
            accepted += 1
            #expect((try? NormalizedHost(host.name)) == host, "\(text) → \(host)")
            #expect(host.name.utf8.allSatisfy { $0 < 0x80 && !(0x41...0x5A).contains($0) })
            #expect(!host.name.hasSuffix(".") && host.name.utf8.count <= 253)
        }
        #expect(accepted > 1000)
    }

    @Test func punycodeRoundTripsRFC3492Samples() throws {
        let samples = [
            ("他们为什么不说中文", "ihqwcrb4cv8a8dqg056pqjye"),
            ("почемужеонинеговорятпорусски", "b1abfaaepdrnnbgefbadotcwatmq2g4l"),
            ("3年b組金八先生", "3b-ww4c5e180e575a65lsy2b"),
            ("->$1.00<-", "->$1.00<--"),
        ]
        for (text, encoded) in samples {
            #expect(Punycode.encode(Array(text.unicodeScalars)) == Array(encoded.utf8))
            #expect(Punycode.decode(Array(encoded.utf8)) == Array(text.unicodeScalars))
        }
        #expect(Punycode.decode(Array("99999999999".utf8)) == nil)
    }
}

/// A small generator with a seed, so that a failure can be had again.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { self.state = seed }
    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var z = self.state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
