import ConfigurationFile
import CulvertConnector
import Foundation

/// What is said of one tunnel that is to be run.
struct ConnectorTerms {
    /// The tunnel's name or id.
    var name: String?
    /// The configuration file, and whether it was named, and not found in one of the usual places.
    var file: (watched: WatchedFile, configuration: ConnectorConfiguration)?
    var isNamedFile = false
    /// Whether the file is that of other tunnels too.
    var isShared = false
    /// The key to log in with: in a token, or in a file.
    var token: (token: TunnelToken, origin: String)?
    var credentialsFile: String?
    /// In the place of what the file says.
    var caFile: String?
    var edgeAddress: String?
    /// The one service for all requests.
    var url: String?

    init(_ source: ConnectorSource) {
        self.credentialsFile = source.credentialsFile
        self.caFile = source.caFile
        self.edgeAddress = source.edgeAddress
    }

    /// Reads the token and the file of the only tunnel.
    ///
    /// - Throws: `Failure` with what is wrong with them, or that there is nothing to go by.
    init(name: String?, config: String?, source: ConnectorSource, url: String? = nil) throws {
        self.init(source)
        self.name = name
        self.isNamedFile = config != nil
        self.url = url
        self.token = try source.readToken()
        if let file = config ?? ConnectorFileOption.usualFile {
            self.file = (WatchedFile(file), try loadConnectorConfiguration(file))
        } else if name == nil, self.token == nil, self.credentialsFile == nil {
            // There is nothing to go by; that says where a file would be looked for.
            throw Failure(
                "\(ConnectorFileOption.noFile) Or give a tunnel's token: CULVERT_TOKEN=cvt_….",
                .usage
            )
        }
    }
}
