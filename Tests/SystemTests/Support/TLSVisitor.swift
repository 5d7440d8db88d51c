import Foundation

/// A visitor that sends whatever bytes it likes, over TLS.
struct TLSVisitor {
    /// What came back.
    struct Answer: Decodable {
        let text: String
        /// Whether the edge closed the connection.
        let closed: Bool

        /// The first status; 0 when there is none.
        var status: Int {
            self.text.firstMatch(#"^HTTP/1\.1 (\d+)"#).flatMap { Int($0) } ?? 0
        }

        /// The statuses of all heads that came.
        var statuses: [Int] {
            self.text.matches(of: /HTTP\/1\.1 (\d+)/).compactMap { Int($0.1) }
        }
    }

    private let deployment: Deployment

    init(_ deployment: Deployment) { self.deployment = deployment }

    /// Sends bytes and reads until the edge closes, or was silent for `silence` seconds.
    func exchange(_ bytes: String, silence: Double = 3) throws -> Answer {
        try self.exchange(Data(bytes.utf8), silence: silence)
    }

    func exchange(_ bytes: Data, silence: Double = 3) throws -> Answer {
        let name = "sent-\(UUID().uuidString.prefix(8))"
        let file = try self.deployment.directory.write(bytes, to: name)
        let result = try Finished(
            Programs.python,
            [
                Programs.script("tls_visitor.py"), Deployment.host, "\(self.deployment.port)",
                self.deployment.certificates.authority, file, "\(silence)",
            ],
            in: self.deployment.directory
        )
        do {
            return try JSONDecoder().decode(Answer.self, from: Data(result.output.utf8))
        } catch {
            throw TestFailure("\(result.output) \(result.errors)")
        }
    }
}
