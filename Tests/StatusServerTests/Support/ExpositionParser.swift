/// Reads Prometheus' text format 0.0.4 strictly: what Prometheus or promtool would complain of is an error.
struct Exposition {
    struct Malformed: Error, CustomStringConvertible {
        var line: Int
        var reason: String
        var description: String { "line \(self.line): \(self.reason)" }
    }

    struct Sample: Equatable {
        var name: String
        var labels: [String: String]
        var value: Double
    }

    struct Family {
        var name: String
        var help: String
        var type: String
        var samples: [Sample] = []
    }

    private(set) var families: [Family] = []
    private var names: Set<String> = []
    private var series: Set<String> = []

    init(_ text: String) throws {
        guard text.hasSuffix("\n") else { throw Malformed(line: 0, reason: "no final newline") }
        var number = 0
        for line in text.dropLast().split(separator: "\n", omittingEmptySubsequences: false) {
            number += 1
            do {
                try self.read(line)
            } catch let error as Malformed {
                throw Malformed(line: number, reason: "\(error.reason): \(line)")
            }
        }
        for family in self.families {
            guard !family.samples.isEmpty else { throw Self.bad("\(family.name) has no sample") }
            if family.type == "histogram" { try Self.checkHistogram(family) }
        }
    }

    subscript(name: String, labels: [String: String] = [:]) -> Double? {
        self.families.lazy.flatMap(\.samples).first { $0.name == name && $0.labels == labels }?
            .value
    }

    func family(_ name: String) -> Family? { self.families.first { $0.name == name } }

    private static func bad(_ reason: String) -> Malformed { Malformed(line: 0, reason: reason) }

    private mutating func read(_ line: Substring) throws {
        guard !line.isEmpty else { throw Self.bad("empty line") }
        guard line.hasPrefix("#") else { return try self.readSample(line) }
        let words = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false)
        guard words.count == 4, words[0] == "#" else { throw Self.bad("comment") }
        let name = String(words[2])
        switch words[1] {
        case "HELP":
            guard Self.isName(words[2], colons: true) else { throw Self.bad("name") }
            guard self.names.insert(name).inserted else { throw Self.bad("second HELP") }
            guard !words[3].isEmpty else { throw Self.bad("no help") }
            self.families.append(Family(name: name, help: String(words[3]), type: ""))
        case "TYPE":
            guard let last = self.families.last, last.name == name, last.type.isEmpty,
                last.samples.isEmpty
            else { throw Self.bad("TYPE out of place") }
            guard ["counter", "gauge", "histogram"].contains(words[3]) else {
                throw Self.bad("type")
            }
            guard (words[3] == "counter") == name.hasSuffix("_total") else {
                throw Self.bad("_total is for counters")
            }
            self.families[self.families.count - 1].type = String(words[3])
        default: throw Self.bad("comment")
        }
    }

    private mutating func readSample(_ line: Substring) throws {
        let name = line.prefix { $0 != "{" && $0 != " " }
        guard Self.isName(name, colons: true) else { throw Self.bad("name") }
        var rest = line[name.endIndex...]
        let labels = try Self.readLabels(&rest)
        guard rest.first == " " else { throw Self.bad("no space before the value") }
        let number = rest.dropFirst()
        guard let value = Self.value(number) else { throw Self.bad("value") }
        guard let family = self.families.last, !family.type.isEmpty else {
            throw Self.bad("sample without TYPE")
        }
        let suffixes = family.type == "histogram" ? ["_bucket", "_sum", "_count"] : [""]
        guard suffixes.contains(where: { family.name + $0 == name }) else {
            throw Self.bad("sample of another family")
        }
        if family.type == "counter", !(value >= 0) { throw Self.bad("counter below zero") }
        let key = "\(name)|\(labels.sorted { $0.key < $1.key })"
        guard self.series.insert(key).inserted else { throw Self.bad("series twice") }
        self.families[self.families.count - 1].samples.append(
            Sample(name: String(name), labels: labels, value: value)
        )
    }

    private static func readLabels(_ rest: inout Substring) throws -> [String: String] {
        guard rest.first == "{" else { return [:] }
        rest.removeFirst()
        var labels: [String: String] = [:]
        while true {
            let name = rest.prefix { $0 != "=" }
            guard Self.isName(name, colons: false) else { throw Self.bad("label name") }
            rest = rest[name.endIndex...]
            guard rest.hasPrefix("=\"") else { throw Self.bad("label without value") }
            rest = rest.dropFirst(2)
            let value = try Self.readQuoted(&rest)
            guard labels.updateValue(value, forKey: String(name)) == nil else {
                throw Self.bad("label twice")
            }
            switch rest.popFirst() {
            case ",": continue
            case "}": return labels
            default: throw Self.bad("labels without end")
            }
        }
    }

    private static func readQuoted(_ rest: inout Substring) throws -> String {
        var value = ""
        while let character = rest.popFirst() {
            switch character {
            case "\"": return value
            case "\\":
                switch rest.popFirst() {
                case "\\": value += "\\"
                case "\"": value += "\""
                case "n": value += "\n"
                default: throw Self.bad("escape")
                }
            default: value.append(character)
            }
        }
        throw Self.bad("quote without end")
    }

    private static func isName(_ name: Substring, colons: Bool) -> Bool {
        guard let first = name.first, !first.isNumber else { return false }
        return name.allSatisfy {
            $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || (colons && $0 == ":"))
        }
    }

    private static func value(_ text: Substring) -> Double? {
        switch text {
        case "NaN": .nan
        case "+Inf": .infinity
        case "-Inf": -.infinity
        default: text.allSatisfy { "0123456789+-.e".contains($0) } ? Double(text) : nil
        }
    }

    private static func checkHistogram(_ family: Family) throws {
        let histograms = Dictionary(grouping: family.samples) { sample in
            sample.labels.filter { $0.key != "le" }
        }
        for samples in histograms.values { try self.checkHistogram(family.name, samples) }
    }

    /// Of one series.
    private static func checkHistogram(_ name: String, _ samples: [Sample]) throws {
        var bounds: [Double] = []
        var counts: [Double] = []
        for sample in samples where sample.name.hasSuffix("_bucket") {
            guard let bound = sample.labels["le"].flatMap({ Self.value($0[...]) }) else {
                throw Self.bad("bucket without le")
            }
            bounds.append(bound)
            counts.append(sample.value)
        }
        guard bounds == bounds.sorted(), counts == counts.sorted(), bounds.last == .infinity,
            Set(bounds).count == bounds.count
        else { throw Self.bad("buckets of \(name) out of order") }
        let count = samples.first { $0.name.hasSuffix("_count") }?.value
        guard count == counts.last, samples.contains(where: { $0.name.hasSuffix("_sum") })
        else { throw Self.bad("\(name) does not add up") }
    }
}
