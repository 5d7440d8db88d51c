internal import ControlAPI
internal import CulvertControl

/// The documents of ``ControlAPI`` in JSON Schema.
enum OpenAPISchemas {
    static let all: [String: JSONValue] = [
        "Edge": object(
            ["agent": text, "connect": text, "domain": text, "wildcard": text],
            optional: ["domain", "wildcard"]
        ),
        "Enrolment": object(["code": text, "label": label]),
        "Login": object(["token": text, "account": ref("Account")]),
        "DeviceRequest": object(["label": label]),
        "DeviceAuthorization": object([
            "device_code": text, "user_code": text, "verification_uri": text,
            "verification_uri_complete": text, "expires_in": integer, "interval": integer,
        ]),
        "DeviceTokenRequest": object(["device_code": text]),
        "DeviceApproval": object(["user_code": text, "approve": ["type": "boolean"]]),
        "Session": object(
            [
                "id": text, "label": text, "created_at": time, "used_at": time,
                "expires_at": time, "is_current": ["type": "boolean"],
            ],
            optional: ["used_at", "expires_at"]
        ),
        "SessionList": list("Session"),
        "Account": object(
            [
                "id": text, "name": name, "role": role, "maximum_tunnels": count,
                "maximum_hostnames": count, "suffixes": texts, "created_at": time,
            ],
            optional: ["maximum_tunnels", "maximum_hostnames", "suffixes"]
        ),
        "AccountList": pages("Account"),
        "NewAccount": body(
            ["name": name],
            optional: [
                "role": role, "maximum_tunnels": count, "maximum_hostnames": count,
                "suffixes": texts,
            ]
        ),
        "AccountChange": body(
            optional: [
                "role": role, "maximum_tunnels": count, "maximum_hostnames": count,
                "suffixes": texts, "release_hostnames": ["type": "boolean"],
            ]
        ),
        "Invitation": object([
            "account": ref("Account"), "code": text, "url": text, "expires_at": time,
        ]),
        "OpenInvitation": object(
            [
                "id": text, "account": name, "created_by": text, "created_at": time,
                "expires_at": time,
            ],
            optional: ["created_by", "expires_at"]
        ),
        "OpenInvitationList": pages("OpenInvitation"),
        "Tunnel": object(
            [
                "id": text, "name": name, "owner": text, "created_at": time,
                "hostnames": texts, "routes": items("Hostname"), "keys": items("Key"),
                "connectors": items("Connector"), "configuration_version": count,
            ],
            optional: ["routes", "configuration_version"]
        ),
        "TunnelList": pages("Tunnel"),
        "NewTunnel": object(["name": name, "public_key": publicKey]),
        "Connector": object(
            [
                "id": text, "agent": text, "address": text, "connected_at": time,
                "state": text, "streams": integer, "hostnames": texts,
                "tcp_ports": ["type": "array", "items": integer], "key": text,
                "configuration_version": count, "configuration_problem": text,
                "unhealthy_hostnames": texts,
            ],
            optional: [
                "address", "hostnames", "tcp_ports", "configuration_version",
                "configuration_problem",
                "unhealthy_hostnames",
            ]
        ),
        "Key": object(
            [
                "public_key": publicKey, "label": text, "hostnames": texts, "expires_at": time,
                "created_at": time,
            ],
            optional: ["hostnames", "expires_at"]
        ),
        "NewKey": body(
            ["public_key": publicKey, "label": label],
            optional: ["hostnames": texts, "expires_at": time]
        ),
        "Hostname": object(
            [
                "hostname": text, "tunnel": text, "url": text, "balance": balance,
                "is_declared": ["type": "boolean"], "has_certificate": ["type": "boolean"],
            ],
            optional: ["url", "balance", "is_declared", "has_certificate"]
        ),
        "HostnameChange": body(optional: ["balance": balance, "moves": ["type": "boolean"]]),
        "Configuration": object([
            "version": count, "text": ["type": "string", "maxLength": 262_144],
        ]),
        "Event": object(
            [
                "kind": text, "at": time, "connector": text, "detail": text,
                "request": object(
                    [
                        "id": text, "method": text, "host": text, "path": text,
                        "status": integer, "error": text, "address": text,
                        "milliseconds": integer, "bytes_in": integer, "bytes_out": integer,
                    ],
                    optional: ["error"]
                ),
            ],
            optional: ["connector", "detail", "request"]
        ),
        "Audit": object([
            "revision": integer, "at": time, "actor": text, "action": text, "subject": text,
            "details": ["type": "object", "additionalProperties": ["type": "string"]],
        ]),
        "AuditList": list("Audit"),
        "Problem": object([
            "type": text, "title": text, "status": integer, "detail": text,
            "code": [
                "type": "string",
                "enum": .list(APIProblem.Code.allCases.map { .text($0.rawValue) }),
            ],
        ]),
    ]

    /// What stands in a path for a key.
    static let keyInPath: JSONValue = ["type": "string", "pattern": "^[A-Za-z0-9_-]{43}$"]

    private static let text: JSONValue = ["type": "string"]
    private static let texts: JSONValue = ["type": "array", "items": ["type": "string"]]
    private static let integer: JSONValue = ["type": "integer"]
    private static let count: JSONValue = ["type": "integer", "minimum": 0, "maximum": 1_000_000]
    private static let time: JSONValue = ["type": "string", "format": "date-time"]
    private static let role: JSONValue = ["type": "string", "enum": ["admin", "member"]]
    private static let balance: JSONValue = [
        "type": "string", "enum": .list(Balance.allCases.map { .text($0.rawValue) }),
    ]
    private static let label: JSONValue = [
        "type": "string", "maxLength": 255, "pattern": "^[^\\u0000-\\u001F]*$",
    ]
    private static let publicKey: JSONValue = [
        "type": "string", "pattern": "^[A-Za-z0-9+/]{43}=$",
    ]
    private static let name: JSONValue = [
        "type": "string", "pattern": "^[A-Za-z0-9._@-]{1,64}$",
    ]

    private static func ref(_ name: String) -> JSONValue {
        ["$ref": "#/components/schemas/\(name)"]
    }

    private static func items(_ name: String) -> JSONValue {
        ["type": "array", "items": ref(name)]
    }

    private static func list(_ name: String) -> JSONValue {
        object(["items": items(name)])
    }

    /// A list that is answered in pages; `next` is there unless it is the last.
    private static func pages(_ name: String) -> JSONValue {
        object(["items": items(name), "next": text], optional: ["next"])
    }

    /// What is sent to the edge; of what is optional, null is as good as nothing.
    private static func body(
        _ properties: [String: JSONValue] = [:],
        optional: [String: JSONValue]
    ) -> JSONValue {
        let nullable = optional.mapValues { schema -> JSONValue in
            ["anyOf": [schema, ["type": "null"]]]
        }
        return object(
            properties.merging(nullable) { property, _ in property },
            optional: Set(optional.keys)
        )
    }

    private static func object(
        _ properties: [String: JSONValue],
        optional: Set<String> = []
    ) -> JSONValue {
        [
            "type": "object", "properties": .object(properties),
            "required": .list(
                properties.keys.filter { !optional.contains($0) }.sorted().map { .text($0) }
            ),
        ]
    }
}
