extension MessageError {
    /// As it stands in logs and metrics.
    package var name: StaticString {
        switch self {
        case .bareLineFeed: "bare-line-feed"
        case .bareCarriageReturn: "bare-carriage-return"
        case .headTooLarge: "head-too-large"
        case .tooManyFields: "too-many-fields"
        case .leadingWhitespace: "leading-whitespace"
        case .badMethod: "bad-method"
        case .badTarget: "bad-target"
        case .badVersion: "bad-version"
        case .unsupportedVersion: "unsupported-version"
        case .badRequestLine: "bad-request-line"
        case .targetTooLong: "target-too-long"
        case .badFieldName: "bad-field-name"
        case .spaceBeforeColon: "space-before-colon"
        case .noColon: "no-colon"
        case .badFieldValue: "bad-field-value"
        case .obsoleteFold: "obsolete-fold"
        case .repeatedField: "repeated-field"
        case .missingHost: "missing-host"
        case .severalHosts: "several-hosts"
        case .badHost: "bad-host"
        case .badContentLength: "bad-content-length"
        case .severalContentLengths: "several-content-lengths"
        case .lengthAndTransferEncoding: "length-and-transfer-encoding"
        case .badTransferEncoding: "bad-transfer-encoding"
        case .severalTransferEncodings: "several-transfer-encodings"
        case .transferEncodingInOldVersion: "transfer-encoding-in-old-version"
        case .unsupportedTransferCoding: "unsupported-transfer-coding"
        case .bodyNotAllowed: "body-not-allowed"
        case .badConnection: "bad-connection"
        case .badExpectation: "bad-expectation"
        case .badUpgrade: "bad-upgrade"
        case .badChunkSize: "bad-chunk-size"
        case .badChunkExtension: "bad-chunk-extension"
        case .badChunkEnd: "bad-chunk-end"
        case .chunkTooLarge: "chunk-too-large"
        case .badTrailer: "bad-trailer"
        case .trailerTooLarge: "trailer-too-large"
        case .bodyTooLarge: "body-too-large"
        case .unexpectedEnd: "unexpected-end"
        case .badStatusLine: "bad-status-line"
        case .badStatus: "bad-status"
        }
    }

    /// As it stands in the body of an answer.
    package var sentence: StaticString {
        switch self {
        case .bareLineFeed: "A line ends in LF without CR."
        case .bareCarriageReturn: "A CR stands without its LF."
        case .headTooLarge: "The header fields are larger than allowed."
        case .tooManyFields: "There are more header fields than allowed."
        case .leadingWhitespace: "White space or empty lines stand before the message."
        case .badMethod: "The method is not one."
        case .badTarget: "The request target is not valid."
        case .badVersion: "The protocol version is not written as HTTP/1.1."
        case .unsupportedVersion: "Only HTTP/1.1 and HTTP/1.0 are spoken here."
        case .badRequestLine: "The request line is not method, target and version."
        case .targetTooLong: "The request target is longer than allowed."
        case .badFieldName: "The name of a header field is not valid."
        case .spaceBeforeColon: "White space stands before the colon of a header field."
        case .noColon: "A header field has no colon."
        case .badFieldValue: "The value of a header field holds a control character."
        case .obsoleteFold: "A header field goes on in the next line."
        case .repeatedField: "A header field that may be sent once was sent again."
        case .missingHost: "The Host field is missing."
        case .severalHosts: "There is more than one Host field."
        case .badHost: "The Host field is not valid, or is not the host of the target."
        case .badContentLength: "Content-Length is not a plain number."
        case .severalContentLengths: "There is more than one Content-Length."
        case .lengthAndTransferEncoding: "Both Content-Length and Transfer-Encoding are set."
        case .badTransferEncoding: "Transfer-Encoding is not exactly chunked."
        case .severalTransferEncodings: "There is more than one Transfer-Encoding."
        case .transferEncodingInOldVersion: "HTTP/1.0 has no Transfer-Encoding."
        case .unsupportedTransferCoding: "The only transfer coding spoken here is chunked."
        case .bodyNotAllowed: "A request with this method has no body."
        case .badConnection: "The Connection field holds what it must not."
        case .badExpectation: "The only expectation that can be met is 100-continue."
        case .badUpgrade: "The Upgrade field is not valid here."
        case .badChunkSize: "The size of a chunk is not a hexadecimal number."
        case .badChunkExtension: "A chunk extension is not valid or too long."
        case .badChunkEnd: "A chunk does not end where its size says."
        case .chunkTooLarge: "The size of a chunk is beyond all measure."
        case .badTrailer: "A trailer field is not valid."
        case .trailerTooLarge: "The trailer fields are larger than allowed."
        case .bodyTooLarge: "The body is larger than allowed."
        case .unexpectedEnd: "The connection closed before the message was complete."
        case .badStatusLine: "The status line is not version, status and reason."
        case .badStatus: "The status is not within 100...599."
        }
    }

    /// The status that a request with this fault is answered with. A response with it becomes a
    /// 502 whatever stands here.
    package var status: UInt16 {
        switch self {
        case .targetTooLong: 414
        case .headTooLarge, .tooManyFields, .trailerTooLarge: 431
        case .bodyTooLarge: 413
        case .badExpectation: 417
        case .unsupportedTransferCoding: 501
        case .unsupportedVersion: 505
        case .bareLineFeed, .bareCarriageReturn, .leadingWhitespace, .badMethod, .badTarget,
            .badVersion, .badRequestLine, .badFieldName, .spaceBeforeColon, .noColon,
            .badFieldValue, .obsoleteFold, .repeatedField, .missingHost, .severalHosts, .badHost,
            .badContentLength, .severalContentLengths, .lengthAndTransferEncoding,
            .badTransferEncoding, .severalTransferEncodings, .transferEncodingInOldVersion,
            .bodyNotAllowed, .badConnection, .badUpgrade, .badChunkSize, .badChunkExtension,
            .badChunkEnd, .chunkTooLarge, .badTrailer, .unexpectedEnd, .badStatusLine, .badStatus:
            400
        }
    }
}
