import ArgumentParser

/// What tells the services of a host apart: 1 to 64 lower-case letters, digits, `-` and `_`.
struct ServiceName: ExpressibleByArgument {
    let text: String

    /// Nil for anything else: it stands in file names and in a unit's text.
    init?(argument: String) {
        let isGood =
            (1...64).contains(argument.utf8.count) && argument.utf8.first != 0x2D
            && argument.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x61...0x7A).contains($0) || $0 == 0x2D
                    || $0 == 0x5F
            }
        guard isGood else { return nil }
        self.text = argument
    }

    /// For the help.
    var defaultValueDescription: String { self.text }

    private init(_ text: String) { self.text = text }

    static let connector = Self("connector")
    static let edge = Self("edge")

    /// The unit's name.
    var unit: String { "culvert-\(self.text).service" }

    /// The name of the unit that holds an edge's ports.
    var socketUnit: String { "culvert-\(self.text).socket" }
}
