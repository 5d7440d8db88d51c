import Testing

@testable import ConfigurationFile

/// A repeatable source of randomness (splitmix64), so that a failure's seed brings it back.
private struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

@Suite struct ReaderFuzzTests {
    private static let pieces = [
        "name", "list", "inner", ": ", ":", "\n", "\n  ", "\n    ", "- ", "? ", "[", "]", "{", "}",
        ", ",
        "&a ", "*a", "&b ", "*b ", "<<: *a", "\"", "'", "|\n", ">-\n ", "# c", "!!str ", "!x ",
        "%YAML 1.1\n",
        "---\n", "...\n", "\t", "\\x41", "\\uD800", "\u{E001}", "é", "👍", "\u{0}", "~", "30s", "*",
        "\u{2028}", "\u{85}", "\r", "\u{FEFF}", "@", "`",
    ]

    @Test(.timeLimit(.minutes(1)), arguments: 0..<8)
    func randomTextsNeverCrash(worker: UInt64) {
        let seed = UInt64.random(in: 0 ... .max)
        var generator = SeededGenerator(state: seed)
        for _ in 0..<1_500 {
            var text = ""
            for _ in 0..<Int.random(in: 0..<40, using: &generator) {
                text += Self.pieces.randomElement(using: &generator) ?? ""
            }
            if Bool.random(using: &generator) { Self.flipBytes(of: &text, &generator) }
            Self.readAll(text)
        }
        #expect(worker < 8, "seed \(seed)")
    }

    private static func flipBytes(of text: inout String, _ generator: inout SeededGenerator) {
        var bytes = Array(text.utf8)
        guard !bytes.isEmpty else { return }
        for _ in 0..<3 {
            let index = Int.random(in: bytes.indices, using: &generator)
            bytes[index] = UInt8.random(in: 0...255, using: &generator)
        }
        text = String(decoding: bytes, as: UTF8.self)
    }

    /// Whatever comes is either read or reported.
    private static func readAll(_ text: String) {
        let reader = ConfigurationReader(file: "f.yml", home: nil)
        let root = reader.root(of: text)
        for key in ["name", "list", "inner"] {
            guard let value = root.take(key) else { continue }
            _ = (value.string(), value.bool(), value.int(0...1), value.duration(), value.hostPort())
            _ = (value.byteSize(0...1), value.hostPattern(), value.elements())
            value.mapping()?.finish()
        }
        root.finish()
        do { try reader.finish() } catch {
            #expect(!error.problems.isEmpty)
            #expect(error.problems.allSatisfy { !$0.description.contains("\n") })
        }
    }
}
