import Foundation

/// Collects what is wrong while one file is read, so that all of it can be said at once.
///
/// Reading never stops early: a value that is wrong is reported and its default used in its place.
/// Confined to the call that loads the file.
package final class ConfigurationReader {
    /// The file as the person named it; relative paths inside it are relative to its folder.
    package let file: String
    /// What is wrong, as found so far; after 1,000 no more are kept.
    package private(set) var problems: [ConfigurationProblem] = []
    /// What is fine but worth knowing: keys that have no meaning here.
    package private(set) var notices: [ConfigurationProblem] = []
    /// Paths of keys that were asked for and are not in the file.
    package private(set) var absentKeys: [String] = []
    /// Whether the files that it names are looked into as well: they are on this machine, and what is read
    /// is about to be run here.
    package let looksIntoFiles: Bool
    /// The folder `~` stands for, or nil when there is none.
    private let home: String?

    /// For one file; `~` stands for `home`, by default the environment's `HOME`.
    package init(
        file: String,
        home: String? = ProcessInfo.processInfo.environment["HOME"],
        looksIntoFiles: Bool = false
    ) {
        self.file = file
        self.home = home
        self.looksIntoFiles = looksIntoFiles
    }

    /// Reads a configuration file's bytes.
    ///
    /// - Throws: one problem that names the file: it is missing, unreadable, too large or not UTF-8.
    package static func text(ofFile path: String) throws(ConfigurationProblems) -> String {
        func problem(_ message: String) -> ConfigurationProblems {
            ConfigurationProblems([.init(file: path, place: nil, key: "", message: message)])
        }
        let data: Data
        do {
            var isDirectory: ObjCBool = false
            let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
            guard !isDirectory.boolValue else { throw problem("is a directory, not a file") }
            guard let handle = FileHandle(forReadingAtPath: path) else {
                throw problem(exists ? "cannot be read; check its permissions" : "no such file")
            }
            // One byte more than is allowed, so that a device or a huge file is noticed, not read.
            data = try handle.read(upToCount: YAMLTree.maximumBytes + 1) ?? Data()
        } catch let problems as ConfigurationProblems {
            throw problems
        } catch {
            throw problem("cannot be read: \(error.localizedDescription)")
        }
        // A character may be cut in two there; that the file is too large is said by who parses it.
        if data.count > YAMLTree.maximumBytes { return String(decoding: data, as: UTF8.self) }
        guard let text = String(validatingUTF8Bytes: data) else {
            throw problem("is not UTF-8 text")
        }
        return text
    }

    /// The file's top-level mapping; an empty one when the file is empty or broken, which is reported.
    package func root(of text: String) -> ConfigurationMapping {
        let start = ConfigurationPlace(line: 1, column: 1)
        let empty = ConfigurationMapping([], at: start, path: "", self)
        let text = text.first == "\u{FEFF}" ? String(text.dropFirst()) : text
        let node = YAMLTree.parse(text) { self.report($0, "", $1) }
        guard let node, !node.isNull else {
            if self.problems.isEmpty { self.report(start, "", "the file is empty") }
            return empty
        }
        guard case .mapping(let entries, let place) = node else {
            let message = "expected `key: value` lines, found \(node.summary)"
            self.report(node.place, "", message)
            return empty
        }
        return ConfigurationMapping(entries, at: place, path: "", self)
    }

    /// Ends the reading.
    ///
    /// - Throws: every problem, in the file's order, when there is one.
    package func finish() throws(ConfigurationProblems) {
        guard !self.problems.isEmpty else { return }
        let start = ConfigurationPlace(line: 0, column: 0)
        // A stable order: two problems of one place stay as they were found. An alias used ten times
        // repeats what is wrong with its anchor ten times: once is enough.
        let ordered = self.problems.enumerated().sorted {
            ($0.element.place ?? start, $0.offset) < ($1.element.place ?? start, $1.offset)
        }
        var found: [ConfigurationProblem] = []
        for (_, problem) in ordered where !found.contains(where: { $0.repeats(problem) }) {
            found.append(problem)
        }
        throw ConfigurationProblems(found)
    }

    /// Whether there are 1,000 problems, after which no more are looked for: they would be noise.
    var isFull: Bool { self.problems.count >= 1_000 }

    /// Keeps a problem, control characters written out; no `place` means the whole file.
    package func report(_ place: ConfigurationPlace?, _ key: String, _ message: String) {
        guard !self.isFull else { return }
        self.problems.append(self.problem(place, key, message))
    }

    /// The same for what is fine but worth knowing; after 1,000 no more are kept.
    package func notice(_ place: ConfigurationPlace?, _ key: String, _ message: String) {
        guard self.notices.count < 1_000 else { return }
        self.notices.append(self.problem(place, key, message))
    }

    private func problem(
        _ place: ConfigurationPlace?,
        _ key: String,
        _ message: String
    ) -> ConfigurationProblem {
        .init(file: self.file, place: place, key: printable(key), message: printable(message))
    }

    func noteAbsent(_ key: String) { self.absentKeys.append(key) }

    /// `path` as the system takes it: `~/` is the home folder, relative is relative to the file's.
    package func resolve(path: String) -> String {
        if path.hasPrefix("/") { return path }
        if path.hasPrefix("~/"), let home { return home + path.dropFirst() }
        guard let slash = self.file.lastIndex(of: "/") else { return path }
        return self.file[...slash] + path
    }
}

/// The text on one line, control characters written out: what a file says is no command to a terminal.
package func printable(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate:
            result += "\\u{\(String(scalar.value, radix: 16))}"
        default:
            result.unicodeScalars.append(scalar)
        }
    }
    return result
}

extension ConfigurationProblem {
    fileprivate func repeats(_ other: ConfigurationProblem) -> Bool {
        self.place == other.place && self.message == other.message
    }
}

extension String {
    /// The string these bytes are in UTF-8, or nil.
    fileprivate init?(validatingUTF8Bytes data: Data) {
        self.init(validating: data, as: UTF8.self)
    }
}
