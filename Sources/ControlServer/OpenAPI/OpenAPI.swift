internal import ControlAPI
internal import Foundation

/// The API in the words of OpenAPI 3.1, for other people's tools.
enum OpenAPI {
    static func encoded(_ settings: ControlSettings) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(self.document(url: "\(settings.controlURL)/api/v1"))
    }

    /// The methods that a path of the API has, HEAD and OPTIONS aside; empty when there is no such path.
    static func methods(of path: String) -> [String] {
        let prefix = "/api/v1"
        guard path.hasPrefix(prefix) else { return [] }
        let asked = path.dropFirst(prefix.count).split(separator: "/")
        for (template, operations) in self.paths {
            let parts = template.split(separator: "/")
            let fits =
                parts.count == asked.count
                && zip(parts, asked).allSatisfy { $0.hasPrefix("{") || $0 == $1 }
            guard fits, case .object(let methods) = operations else { continue }
            return methods.keys.map { $0.uppercased() }.sorted()
        }
        return []
    }

    private static func document(url: String) -> JSONValue {
        [
            "openapi": "3.1.0",
            "info": [
                "title": "Culvert edge", "version": "1",
                "description": "Accounts, tunnels, keys and hostnames of an edge.",
            ],
            "servers": [["url": "\(url)"]],
            "security": [["session": []]],
            "paths": .object(self.paths),
            "components": [
                "schemas": .object(OpenAPISchemas.all),
                "securitySchemes": ["session": ["type": "http", "scheme": "bearer"]],
            ],
        ]
    }

    private static let paths: [String: JSONValue] = [
        "/": ["get": operation("edge", 200, "Edge", needsLogin: false)],
        "/login": ["post": operation("login", 200, "Login", body: "Enrolment", needsLogin: false)],
        "/device/authorization": [
            "post": operation(
                "authorizeDevice",
                200,
                "DeviceAuthorization",
                body: "DeviceRequest",
                needsLogin: false
            )
        ],
        "/device/token": [
            "post": operation(
                "pollDevice",
                200,
                "Login",
                body: "DeviceTokenRequest",
                needsLogin: false
            )
        ],
        "/device/approval": ["post": operation("approveDevice", 204, body: "DeviceApproval")],
        "/account": ["get": operation("account", 200, "Account")],
        "/sessions": ["get": operation("sessions", 200, "SessionList")],
        "/sessions/{session}": ["delete": operation("endSession", 204, path: ["session"])],
        "/tunnels": [
            "get": operation(
                "tunnels",
                200,
                "TunnelList",
                query: pages.merging(["all": ["type": "boolean"]]) { one, _ in one }
            ),
            "post": operation("createTunnel", 201, "Tunnel", body: "NewTunnel"),
        ],
        "/tunnels/{tunnel}": [
            "get": operation("tunnel", 200, "Tunnel", path: ["tunnel"]),
            "delete": operation(
                "deleteTunnel",
                204,
                path: ["tunnel"],
                query: ["force": ["type": "boolean"]]
            ),
        ],
        "/tunnels/{tunnel}/connectors": [
            "delete": operation("disconnect", 204, path: ["tunnel"])
        ],
        "/tunnels/{tunnel}/events": [
            "get": operation("events", 200, "Event", as: "application/jsonl", path: ["tunnel"])
        ],
        "/tunnels/{tunnel}/keys": [
            "post": operation("addKey", 201, "Key", body: "NewKey", path: ["tunnel"])
        ],
        "/tunnels/{tunnel}/keys/{key}": [
            "delete": operation("deleteKey", 204, path: ["tunnel", "key"])
        ],
        "/tunnels/{tunnel}/hostnames/{hostname}": [
            "put": operation(
                "claimHostname",
                201,
                "Hostname",
                also: 200,
                body: "HostnameChange",
                needsBody: false,
                path: ["tunnel", "hostname"]
            ),
            "delete": operation("releaseHostname", 204, path: ["tunnel", "hostname"]),
        ],
        "/tunnels/{tunnel}/configuration": [
            "get": operation("configuration", 200, "Configuration", path: ["tunnel"]),
            "put": operation(
                "configure",
                200,
                "Configuration",
                body: "Configuration",
                path: ["tunnel"]
            ),
        ],
        "/accounts": [
            "get": operation("accounts", 200, "AccountList", query: pages),
            "post": operation("createAccount", 201, "Invitation", body: "NewAccount"),
        ],
        "/accounts/{account}": [
            "patch": operation(
                "changeAccount",
                200,
                "Account",
                body: "AccountChange",
                path: ["account"]
            ),
            "delete": operation("deleteAccount", 204, path: ["account"]),
        ],
        "/accounts/{account}/invitation": [
            "post": operation("invite", 201, "Invitation", path: ["account"])
        ],
        "/accounts/{account}/sessions": [
            "get": operation("accountSessions", 200, "SessionList", path: ["account"])
        ],
        "/accounts/{account}/sessions/{session}": [
            "delete": operation("endAccountSession", 204, path: ["account", "session"])
        ],
        "/invitations": [
            "get": operation("invitations", 200, "OpenInvitationList", query: pages)
        ],
        "/invitations/{invitation}": [
            "delete": operation("withdrawInvitation", 204, path: ["invitation"])
        ],
        "/audit": [
            "get": operation(
                "audit",
                200,
                "AuditList",
                query: [
                    "before": ["type": "integer", "minimum": 1],
                    "limit": ["type": "integer", "minimum": 1, "maximum": 1_000],
                ]
            )
        ],
    ]

    /// What asks for a page of a list.
    private static let pages: [String: JSONValue] = [
        "limit": ["type": "integer", "minimum": 1, "maximum": .number(PageRequest.maximumItems)],
        "after": ["type": "string"],
    ]

    /// One operation: what it answers with, what it takes.
    private static func operation(
        _ id: String,
        _ status: Int,
        _ answer: String? = nil,
        as type: String = "application/json",
        also other: Int? = nil,
        body: String? = nil,
        needsBody: Bool = true,
        path: [String] = [],
        query: [String: JSONValue] = [:],
        needsLogin: Bool = true
    ) -> JSONValue {
        var responses: [String: JSONValue] = ["default": self.problem]
        for status in [status, other].compactMap(\.self) {
            var response: [String: JSONValue] = ["description": "Done."]
            if let answer { response["content"] = self.content(type, answer) }
            responses["\(status)"] = .object(response)
        }
        var operation: [String: JSONValue] = [
            "operationId": "\(id)", "responses": .object(responses),
        ]
        if let body {
            operation["requestBody"] = [
                "required": .bool(needsBody), "content": self.content("application/json", body),
            ]
        }
        let parameters =
            path.map { self.parameter($0, "path", self.schema(ofPathPart: $0)) }
            + query.sorted { $0.key < $1.key }.map { self.parameter($0.key, "query", $0.value) }
        if !parameters.isEmpty { operation["parameters"] = .list(parameters) }
        if !needsLogin { operation["security"] = [] }
        return .object(operation)
    }

    private static func schema(ofPathPart name: String) -> JSONValue {
        name == "key" ? OpenAPISchemas.keyInPath : ["type": "string", "minLength": 1]
    }

    private static let problem: JSONValue = [
        "description": "What went wrong.",
        "content": content("application/problem+json", "Problem"),
    ]

    private static func content(_ type: String, _ schema: String) -> JSONValue {
        .object([type: ["schema": ["$ref": "#/components/schemas/\(schema)"]]])
    }

    private static func parameter(
        _ name: String,
        _ place: String,
        _ schema: JSONValue
    ) -> JSONValue {
        [
            "name": "\(name)", "in": "\(place)", "required": .bool(place == "path"),
            "schema": schema,
        ]
    }
}
