/// A mapping being read: each key is asked for once, then what nobody asked for is an unknown key.
///
/// Confined, like its reader, to the call that loads the file.
package final class ConfigurationMapping {
    /// Where the mapping begins.
    package let place: ConfigurationPlace
    /// The path of the mapping itself; empty at the top.
    package let keyPath: String
    /// Takes what is wrong; that of the whole file.
    package let reader: ConfigurationReader
    private let entries: [ConfigurationNode.Entry]
    private var asked: [String] = []

    init(
        _ entries: [ConfigurationNode.Entry],
        at place: ConfigurationPlace,
        path: String,
        _ reader: ConfigurationReader
    ) {
        self.entries = entries
        self.place = place
        self.keyPath = path
        self.reader = reader
    }

    /// The value of `key`, or nil when it is not there or null.
    package func take(_ key: String) -> ConfigurationValue? {
        self.asked.append(key)
        guard let entry = self.entries.first(where: { $0.key == key }) else {
            self.reader.noteAbsent(self.path(of: key))
            return nil
        }
        guard !entry.value.isNull else { return nil }
        return ConfigurationValue(entry.value, path: self.path(of: key), self.reader)
    }

    /// The value of `key`; its absence is a problem.
    package func require(_ key: String, _ hint: String) -> ConfigurationValue? {
        if let value = self.take(key) { return value }
        let place = self.entries.first { $0.key == key }?.place ?? self.place
        self.reader.report(place, self.path(of: key), "is missing: \(hint)")
        return nil
    }

    /// Puts the value of `key` where its default stands; a wrong one is reported and the default kept.
    package func read<Value>(
        _ key: String,
        into target: inout Value,
        _ decode: (ConfigurationValue) -> Value?
    ) {
        if let value = self.take(key).flatMap(decode) { target = value }
    }

    /// The same for a value that has no default.
    package func read<Value>(
        _ key: String,
        into target: inout Value?,
        _ decode: (ConfigurationValue) -> Value?
    ) {
        if let value = self.take(key).flatMap(decode) { target = value }
    }

    /// Accepts keys that mean nothing here, with a notice that says why.
    package func ignore(_ reasons: [String: String]) {
        for entry in self.entries {
            guard let reason = reasons[entry.key] else { continue }
            self.asked.append(entry.key)
            self.reader.notice(entry.place, self.path(of: entry.key), "ignored: \(reason)")
        }
    }

    /// Reports every key that nobody asked for, with the known name it resembles.
    package func finish() {
        for entry in self.entries where !self.asked.contains(entry.key) {
            guard !self.reader.isFull else { return }
            var message = "unknown key"
            if let name = nearest(to: entry.key, among: self.asked) {
                message += "; did you mean `\(name)`?"
            }
            self.reader.report(entry.place, self.path(of: entry.key), message)
        }
    }

    /// Whether it has no keys at all.
    package var isEmpty: Bool { self.entries.isEmpty }

    /// The path of a key of this mapping: `tls.cert`, or `cert` at the top.
    package func path(of key: String) -> String {
        self.keyPath.isEmpty ? key : "\(self.keyPath).\(key)"
    }
}
