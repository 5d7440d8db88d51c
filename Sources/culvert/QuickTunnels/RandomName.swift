/// A hostname that can be read out over a telephone.
enum RandomName {
    private static let qualities = [
        "amber", "brisk", "calm", "clear", "crisp", "early", "fair", "fleet", "fresh", "glad",
        "green", "keen", "light", "lively", "lunar", "mild", "neat", "noble", "plain", "quick",
        "quiet", "rapid", "sage", "solid", "still", "sunny", "swift", "tidal", "vivid", "warm",
    ]
    private static let things = [
        "arch", "bank", "bend", "brook", "cove", "creek", "delta", "drift", "eddy", "fall",
        "fjord", "ford", "harbor", "inlet", "lagoon", "lake", "marsh", "mill", "otter", "pond",
        "pool", "reed", "ridge", "river", "sluice", "spring", "stream", "tide", "weir", "well",
    ]

    /// Such as `calm-otter-4821`; one of 8.1 million.
    static func make() -> String {
        let quality = Self.qualities[.random(in: 0..<Self.qualities.count)]
        let thing = Self.things[.random(in: 0..<Self.things.count)]
        return "\(quality)-\(thing)-\(Int.random(in: 1_000...9_999))"
    }

    /// The same for the same digest, of eight bytes or more.
    static func make(from digest: some Sequence<UInt8>) -> String {
        var rest = digest.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        func next(below limit: Int) -> Int {
            defer { rest /= UInt64(limit) }
            return Int(rest % UInt64(limit))
        }
        let quality = Self.qualities[next(below: Self.qualities.count)]
        let thing = Self.things[next(below: Self.things.count)]
        return "\(quality)-\(thing)-\(1_000 + next(below: 9_000))"
    }
}
