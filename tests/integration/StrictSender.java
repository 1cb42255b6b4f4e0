import java.io.ByteArrayOutputStream;
import java.io.FileInputStream;
import java.io.InputStream;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/** Pushes as a sender written in Java would; any end of a connection that is not a clean one is an exception. */
public class StrictSender {
    /** Arguments: port, PKCS 12 file, its password, CA file, Authorization, body. */
    public static void main(String[] given) throws Exception {
        int port = Integer.parseInt(given[0]);
        KeyStore keys = KeyStore.getInstance("PKCS12");
        try (InputStream file = new FileInputStream(given[1])) {
            keys.load(file, given[2].toCharArray());
        }
        KeyManagerFactory own = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        own.init(keys, given[2].toCharArray());
        KeyStore authorities = KeyStore.getInstance(KeyStore.getDefaultType());
        authorities.load(null, null);
        try (InputStream file = new FileInputStream(given[3])) {
            authorities.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        TrustManagerFactory trusted = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trusted.init(authorities);
        for (String version : new String[] {"TLSv1.2", "TLSv1.3"}) {
            SSLContext context = SSLContext.getInstance(version);
            context.init(own.getKeyManagers(), trusted.getTrustManagers(), null);
            for (int round = 0; round < 2; round++) {
                readToTheEnd(context, version, port, given[4], given[5]);
            }
            for (int round = 0; round < 2; round++) {
                pushKeepingAlive(context, port, given[4], given[5]);
            }
        }
    }

    private static void readToTheEnd(SSLContext context, String version, int port, String authorization, String body)
            throws Exception {
        try (SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket("localhost", port)) {
            socket.setEnabledProtocols(new String[] {version});
            socket.getOutputStream().write(("POST /push/ethoca HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                + "Content-Type: application/json\r\nAuthorization: " + authorization + "\r\nContent-Length: "
                + body.length() + "\r\n\r\n" + body).getBytes(StandardCharsets.US_ASCII));
            ByteArrayOutputStream answer = new ByteArrayOutputStream();
            socket.getInputStream().transferTo(answer);
            System.out.println(answer.toString(StandardCharsets.US_ASCII).split("\r\n")[0]);
        }
    }

    private static void pushKeepingAlive(SSLContext context, int port, String authorization, String body)
            throws Exception {
        HttpsURLConnection connection =
            (HttpsURLConnection) new URL("https://localhost:" + port + "/push/ethoca").openConnection();
        connection.setSSLSocketFactory(context.getSocketFactory());
        connection.setDoOutput(true);
        connection.setRequestProperty("Content-Type", "application/json");
        connection.setRequestProperty("Authorization", authorization);
        connection.getOutputStream().write(body.getBytes(StandardCharsets.US_ASCII));
        try (InputStream answer = connection.getInputStream()) {
            answer.readAllBytes();
        }
        System.out.println("HTTP/1.1 " + connection.getResponseCode() + " " + connection.getResponseMessage());
    }
}
