/// The code that a person carries from a device to a browser: eight consonants, so that no words come of it,
/// none of which look alike (RFC 8628 §6.1). 34 bits, good for ten minutes and behind a login.
enum UserCode {
    private static let letters = Array("BCDFGHJKLMNPQRSTVWXZ")

    /// A new one in its canonical form, without the hyphen.
    static func make() -> String {
        var generator = SystemRandomNumberGenerator()
        return String(
            (0..<8).map { _ in self.letters[Int(generator.next(upperBound: 20 as UInt))] }
        )
    }

    /// As it is shown: `WDJB-MJHT`.
    static func shown(_ code: String) -> String { "\(code.prefix(4))-\(code.dropFirst(4))" }

    /// What a person typed, in its canonical form: case, hyphens and spaces do not matter.
    static func canonical(_ text: String) -> String {
        String(text.uppercased().filter { self.letters.contains($0) }.prefix(16))
    }
}
