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

    @Test func aByteIsFoundWhereverItIs() {
        for count in 0..<40 {
            for place in 0..<count {
                var bytes = [UInt8](repeating: 0x0B, count: count)
                bytes[place] = 0x0A
                if place + 3 < count { bytes[place + 3] = 0x0A }
                bytes.withUnsafeBytes { bytes in
                    for start in 0...place {
                        #expect(bytes.firstIndex(ofByte: 0x0A, from: start) == place)
                    }
                    let next = place + 3 < count ? place + 3 : nil
                    #expect(bytes.firstIndex(ofByte: 0x0A, from: place + 1) == next)
                    #expect(bytes.firstIndex(ofByte: 0x0C) == nil)
                }
            }
        }
    }

    @Test func valuesAreWhatTheirBytesAre() {
        for byte in UInt8.min...UInt8.max {
            for place in 0..<20 {
                var bytes = [UInt8](repeating: 0x61, count: 20)
                bytes[place] = byte
                bytes.withUnsafeBytes { bytes in
                    #expect(bytes.isFieldValue == byte.isFieldValueByte)
                    #expect(bytes.isASCII == (byte < 0x80))
                }
            }
        }
    }
}
