import HTTPSemantics
import Testing

/// Octets of fields as texts: nothing is lost, and nothing else becomes octets.
@Suite struct FieldTextTests {
    private func text(_ octets: [UInt8]) -> String {
        octets.withUnsafeBytes { String(octets: $0) }
    }

    private func octets(_ text: String) -> [UInt8] { text.withOctets { Array($0) } }

    @Test func everyPairOfOctetsComesBack() {
        for first in UInt8.min...UInt8.max {
            for second in UInt8.min...UInt8.max {
                let pair = [first, second, 0x61]
                #expect(self.octets(self.text(pair)) == pair)
            }
        }
    }

    @Test func whatLooksLikeOurOwnScalarsComesBack() {
        for scalar in ["\u{10FF80}", "\u{10FFFF}", "\u{10FF7F}", "\u{100000}", "é\u{10FFE9}"] {
            let octets = Array(scalar.utf8)
            #expect(self.octets(self.text(octets)) == octets)
        }
    }

    @Test func randomOctetsComeBack() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2_000 {
            let count = Int.random(in: 0...40, using: &generator)
            // Mostly of what UTF-8 is made of, and of the lead byte that ours have.
            let octets = (0..<count).map { _ -> UInt8 in
                [0xF4, 0x8F, 0xBE, 0xBF, .random(in: 0...255, using: &generator)].randomElement(
                    using: &generator
                ) ?? 0
            }
            #expect(self.octets(self.text(octets)) == octets, "\(octets)")
        }
    }

    @Test func textStaysText() {
        for text in ["", "plain", "café €", "😀"] {
            #expect(self.text(Array(text.utf8)) == text)
            #expect(self.octets(text) == Array(text.utf8))
            #expect(text.readableText == text)
        }
    }

    @Test func octetsCanBeRead() {
        #expect(self.text([0x63, 0xE9]).readableText == "cé")
        #expect(self.text(Array("\u{10FF80}".utf8)).readableText == "\u{10FF80}")
    }
}
