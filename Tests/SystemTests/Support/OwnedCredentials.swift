import Foundation

/// A tunnel's credentials as `tunnel create` writes them, made of keygen's.
struct OwnedCredentials {
    var fields: [String: String]

    /// Those of the tunnel whose `NAME.json` there is in `directory`, which the edge knows as `id`.
    init(
        _ name: String,
        id: String,
        in directory: TemporaryDirectory,
        for deployment: Deployment
    ) throws {
        let data = Data(directory.text("\(name).json").utf8)
        self.fields = try JSONDecoder().decode([String: String].self, from: data)
        self.fields["TunnelID"] = id
        self.fields["Edge"] = "connect.example.test:\(deployment.port)"
        self.fields["EdgeAddress"] = "127.0.0.1:\(deployment.port)"
        self.fields["CACertificates"] = try String(
            contentsOfFile: deployment.certificates.authority,
            encoding: .utf8
        )
    }

    /// The file's contents.
    func json() throws -> String {
        String(decoding: try JSONEncoder().encode(self.fields), as: UTF8.self)
    }

    /// The token, as `tunnel token` prints it.
    func token() throws -> String {
        let contents = try JSONSerialization.data(withJSONObject: [
            "v": 1, "name": self.fields["TunnelName"] ?? "", "id": self.fields["TunnelID"] ?? "",
            "edge": self.fields["Edge"] ?? "", "key": self.fields["PrivateKey"] ?? "",
            "ca": self.fields["CACertificates"] ?? "",
        ])
        return "cvt_"
            + contents.base64EncodedString().replacing("+", with: "-")
            .replacing("/", with: "_").replacing("=", with: "")
    }
}
