internal import ControlAPI
internal import HTTPSemantics
internal import Hummingbird
internal import NIOCore

/// What the edge says of itself.
struct EdgeRoutes {
    let desk: ControlDesk

    func add(to api: APIGroup) {
        let settings = self.desk.settings
        api.get { _, _ in
            try Response(
                EdgeDocument(
                    agent: settings.agent,
                    connect: settings.connectAddress,
                    domain: settings.domain?.name,
                    wildcard: settings.domain.map { "*.\($0.name)" }
                )
            )
        }
        api.get("openapi.json") { _, _ in
            Response(
                status: .ok,
                headers: [.contentType: "application/json"],
                body: .init(byteBuffer: ByteBuffer(bytes: try OpenAPI.encoded(settings)))
            )
        }
    }
}
