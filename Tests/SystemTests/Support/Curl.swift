import Foundation

/// A visit with curl.
struct Curl {
    /// curl's own exit code; 0 when the answer was whole.
    let exit: CInt
    let status: Int
    /// `1.1` or `2`.
    let version: String
    /// The fields of the last head and of the trailers, as they came.
    let fields: [(name: String, value: String)]
    /// The statuses of all heads, informational ones too.
    let statuses: [Int]
    let body: Data
    /// What curl says with `-v`.
    let said: String

    var text: String { String(decoding: self.body, as: UTF8.self) }

    /// The values of a field, whose name is given in lower case.
    func values(_ name: String) -> [String] {
        self.fields.filter { $0.name.lowercased() == name }.map(\.value)
    }

    func first(_ name: String) -> String? { self.values(name).first }

    /// Runs curl to its end.
    init(
        _ url: String,
        _ arguments: [String] = [],
        in directory: TemporaryDirectory,
        within seconds: Double = 30
    ) throws {
        self = try Running(url, arguments, in: directory, maximum: seconds).finish(
            within: seconds + 5
        )
    }

    /// A visit under way.
    struct Running {
        let process: ManagedProcess
        fileprivate let directory: TemporaryDirectory
        fileprivate let number: String

        init(
            _ url: String,
            _ arguments: [String],
            in directory: TemporaryDirectory,
            input: String = "/dev/null",
            output: String? = nil,
            maximum seconds: Double = 120
        ) throws {
            self.directory = directory
            self.number = String(UUID().uuidString.prefix(8))
            self.process = try ManagedProcess(
                "curl",
                [
                    "-sSv", "--globoff", "--path-as-is", "--no-buffer", "--max-time", "\(seconds)",
                    "-D", directory.file("head.\(self.number)"),
                    "-o", output ?? directory.file("body.\(self.number)"),
                    "-w", "%{http_code} %{http_version}",
                ] + arguments + [url],
                input: input,
                in: directory
            )
        }

        /// What has come of the body so far.
        var body: Data {
            FileManager.default.contents(atPath: self.directory.file("body.\(self.number)"))
                ?? Data()
        }

        func finish(within seconds: Double = 60) throws -> Curl {
            let exit = try self.process.exit(within: seconds)
            return Curl(self, exit: exit)
        }
    }

    private init(_ running: Running, exit: CInt) {
        self.exit = exit
        let words = running.process.output.split(separator: " ")
        self.status = words.first.flatMap { Int($0) } ?? 0
        self.version = words.dropFirst().first.map(String.init) ?? ""
        self.said = Self.abridged(running.process.errors)
        self.body = running.body
        var fields: [(name: String, value: String)] = []
        var statuses: [Int] = []
        let head = running.directory.text("head.\(running.number)")
        for line in head.replacingOccurrences(of: "\r", with: "").split(separator: "\n") {
            if line.hasPrefix("HTTP/") {
                statuses.append(
                    line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
                )
                fields = []
            } else if let colon = line.firstIndex(of: ":") {
                let value = line[line.index(after: colon)...]
                fields.append((String(line[..<colon]), value.trimmingCharacters(in: .whitespaces)))
            }
        }
        self.fields = fields
        self.statuses = statuses
    }
}

extension Curl {
    /// What `-v` says, without the TLS handshake and with long lines cut.
    fileprivate static func abridged(_ text: String) -> String {
        let dull = [
            "{ [", "} [", "*  ", "* TLS", "* SSL", "* ALPN", "* Server cert", "* old SSL", "* h2h3",
        ]
        return text.replacingOccurrences(of: "\r", with: "").split(separator: "\n")
            .filter { line in !dull.contains { line.hasPrefix($0) } }
            .map { $0.prefix(200) }
            .joined(separator: "\n")
    }
}

/// What the echoing origin says it got.
struct Echo: Decodable {
    let origin: String
    let method: String
    let target: String
    let version: String
    let fields: [[String]]
    let bodyBytes: Int
    let bodySHA256: String
    let trailers: [[String]]

    init(_ curl: Curl) throws {
        do {
            self = try JSONDecoder().decode(Echo.self, from: curl.body)
        } catch {
            throw TestFailure("no echo: exit \(curl.exit) \(curl.text.prefix(500))\n\(curl.said)")
        }
    }

    func values(_ name: String) -> [String] {
        self.fields.filter { $0[0].lowercased() == name }.map { $0[1] }
    }
}
