import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.regex.Pattern;

/** audit_orders of Java: java Hot SECONDS, of CPU time. */
class Hot {
    static final Pattern SKU = Pattern.compile("sku-([0-9]+)(-[a-z]+)*");

    static int audit_orders(int n) {
        String text = "";
        for (int i = 0; i < 20; i++)
            text = String.format("sku-%d-red %5.2f %s", n + i, n / 7.0,
                                 text.length() > 300 ? "" : text);
        return SKU.matcher(text).replaceAll("$1").length();
    }

    static int ship_order(int n) throws Exception {
        String[] names = new String[100];
        for (int i = 0; i < names.length; i++)
            names[i] = Integer.toString((n * 7919 + i * 104729) % 9973);
        Arrays.sort(names);
        byte[] text = String.join(" ", names).getBytes(StandardCharsets.UTF_8);
        return MessageDigest.getInstance("SHA-256").digest(text)[0];
    }

    static int place_order(int n) throws Exception {
        return audit_orders(n) + ship_order(n);
    }

    public static void main(String[] args) throws Exception {
        ThreadMXBean time = ManagementFactory.getThreadMXBean();
        double end = 1e9 * Double.parseDouble(args[0]);
        for (int n = 0; time.getCurrentThreadCpuTime() < end; n++)
            place_order(n);
    }
}
