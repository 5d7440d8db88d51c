import ArgumentParser
import ConfigurationFile
import CulvertConnector
import Foundation

/// Where a connector's key comes from, and how it gets to its edge, beside the configuration file.
struct ConnectorSource: ParsableArguments {
    @Option(help: "A tunnel's token, cvt_…; everybody on this machine can see it in `ps`.")
    var token: String?

    @Option(help: "A file with the token, its owner's only; - is standard input.")
    var tokenFile: String?

    @Option(
        name: [.customLong("cred-file"), .customLong("credentials-file")],
        help: "The tunnel's credentials file."
    )
    var credentialsFile: String?

    @Option(help: "CA certificates (PEM) to trust beside the system's, for the edge.")
    var caFile: String?

    @Option(help: "HOST:PORT to dial instead of where the edge's name leads.")
    var edgeAddress: String?

    func validate() throws {
        let given = [self.token, self.tokenFile, self.credentialsFile].compactMap { $0 }
        guard given.count <= 1 else {
            throw ValidationError("--token, --token-file and --cred-file exclude each other.")
        }
    }

    /// The token that the options or the environment have; nil when there is none, or a credentials
    /// file is named.
    ///
    /// - Throws: `Failure` with what is wrong with it, and none of it.
    func readToken() throws -> (token: TunnelToken, origin: String)? {
        if let token { return (try Self.parse(token, of: "--token"), "--token") }
        if let tokenFile {
            return (try Self.parse(Self.contents(of: tokenFile), of: tokenFile), tokenFile)
        }
        let environment = ProcessInfo.processInfo.environment["CULVERT_TOKEN"] ?? ""
        guard !environment.isEmpty, self.credentialsFile == nil else { return nil }
        return (try Self.parse(environment, of: "CULVERT_TOKEN"), "CULVERT_TOKEN")
    }

    private static func parse(_ text: String, of origin: String) throws -> TunnelToken {
        do {
            return try TunnelToken(text)
        } catch {
            throw Failure("\(origin): the token \(error.message).")
        }
    }

    private static func contents(of file: String) throws -> String {
        if file == "-" { return readLine() ?? "" }
        do {
            let data = try PrivateFile.read(file, maximumBytes: TunnelToken.maximumBytes)
            return String(decoding: data, as: UTF8.self)
        } catch {
            throw Failure("\(error)")
        }
    }
}
