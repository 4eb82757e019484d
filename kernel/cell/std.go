package cell

import (
	"go/scanner"
	"go/token"
	"strings"
)

// Standard has the packages of the standard library that cells can name without
// importing them, by name: all whose name no other one has.
var Standard = map[string]string{}

func init() {
	for _, path := range strings.Fields(`archive/tar archive/zip bufio bytes cmp compress/bzip2 compress/flate compress/gzip compress/lzw compress/zlib container/heap container/list
		container/ring context crypto crypto/aes crypto/cipher crypto/des crypto/dsa crypto/ecdh crypto/ecdsa crypto/ed25519 crypto/elliptic crypto/fips140
		crypto/hkdf crypto/hmac crypto/hpke crypto/md5 crypto/mlkem crypto/pbkdf2 crypto/rc4 crypto/rsa crypto/sha1 crypto/sha256 crypto/sha3 crypto/sha512
		crypto/subtle crypto/tls crypto/x509 crypto/x509/pkix database/sql database/sql/driver debug/buildinfo debug/dwarf debug/elf debug/gosym debug/macho
		debug/pe debug/plan9obj embed encoding encoding/ascii85 encoding/asn1 encoding/base32 encoding/base64 encoding/binary encoding/csv encoding/gob
		encoding/hex encoding/json encoding/pem encoding/xml errors expvar flag fmt go/ast go/build go/build/constraint go/constant go/doc go/doc/comment
		go/format go/importer go/parser go/printer go/token go/types go/version hash hash/adler32 hash/crc32 hash/crc64 hash/fnv hash/maphash html image
		image/color image/color/palette image/draw image/gif image/jpeg image/png index/suffixarray io io/fs io/ioutil iter log log/slog log/syslog maps math
		math/big math/bits math/cmplx mime mime/multipart mime/quotedprintable net net/http net/http/cgi net/http/cookiejar net/http/fcgi net/http/httptest
		net/http/httptrace net/http/httputil net/mail net/netip net/rpc net/rpc/jsonrpc net/smtp net/textproto net/url os os/exec os/signal os/user path
		path/filepath reflect regexp regexp/syntax runtime runtime/debug runtime/metrics runtime/trace slices sort strconv strings sync sync/atomic syscall
		testing testing/fstest testing/iotest testing/quick text/tabwriter text/template/parse time unicode unicode/utf16 unicode/utf8 unique unsafe weak`) {
		Standard[path[strings.LastIndexByte(path, '/')+1:]] = path
	}
}

// named returns the identifiers of a text that stand before a dot and not behind one.
func named(text string) map[string]bool {
	out := map[string]bool{}
	fset := token.NewFileSet()
	var s scanner.Scanner
	s.Init(fset.AddFile("", fset.Base(), len(text)), []byte(text), nil, 0)
	before, last := token.ILLEGAL, ""
	for {
		_, tok, lit := s.Scan()
		if tok == token.EOF {
			return out
		}
		if tok == token.PERIOD && last != "" {
			out[last] = true
		}
		last = ""
		if tok == token.IDENT && before != token.PERIOD {
			last = lit
		}
		before = tok
	}
}
