import HTTPSemantics
import Testing

@testable import HTTP2Wire

/// Failures in gRPC's form.
@Suite struct GRPCAnswerTests {
    @Test(arguments: [
        ("application/grpc", "application/grpc"),
        ("Application/GRPC+proto", "Application/GRPC+proto"),
        ("application/grpc+json;charset=utf-8", "application/grpc+json"),
        ("application/grpc ; a=b", "application/grpc"),
        ("application/grpc-web", nil), ("application/grpc-web+proto", nil),
        ("application/grpcx", nil), ("application/json", nil), ("", nil),
    ])
    func callsAreKnownByTheirType(type: String, expected: String?) {
        #expect(GRPCAnswer.contentType(of: ["Content-Type": type]) == expected)
    }

    @Test func withoutATypeItIsNoCall() { #expect(GRPCAnswer.contentType(of: [:]) == nil) }

    @Test func theHeadIsTheWholeAnswer() {
        let head = GRPCAnswer.head(
            insteadOf: 503,
            message: "100% \u{FC}\n",
            contentType: "application/grpc"
        )
        #expect(head.status == 200)
        #expect(
            head.fields == [
                "Content-Type": "application/grpc", "grpc-status": "14",
                "grpc-message": "100%25 %C3%BC%0A",
            ]
        )
    }

    /// Those of gRPC's own table.
    @Test(
        arguments: [
            (400, 13), (401, 16), (403, 7), (404, 12), (429, 14), (502, 14), (503, 14), (504, 14),
            (418, 2),
        ] as [(UInt16, Int)]
    )
    func statuses(http: UInt16, code: Int) { #expect(GRPCAnswer.code(http) == code) }
}
